// How the screen may look on this terminal: which graphs it can draw, whether it has more than ASCII, and which colours
// can be read on its background. Pure: the environment comes from the caller.
import { inspect } from 'node:util';
import type { Line, Tone } from './line.ts';
import { cells } from './text.ts';

export interface Look {
  /** two samples a character, or one */
  graph: 'braille' | 'block';
  /** nothing but ASCII leaves for the terminal */
  ascii: boolean;
  colours: boolean;
  theme: 'dark' | 'light';
}

export interface LookOptions {
  ascii?: boolean | undefined;
  graph?: 'braille' | 'block' | undefined;
  theme?: 'dark' | 'light' | undefined;
}

/** What the user asked for, then what the environment says of the terminal. */
export function chooseLook(options: LookOptions, environment: NodeJS.ProcessEnv): Look {
  const { LC_ALL, LC_CTYPE, LANG, TERM, NO_COLOR = '', COLORFGBG } = environment;
  // the first that is set decides, as the C library has it; where none is, the terminal is newer than its environment
  const locale = [LC_ALL, LC_CTYPE, LANG].find((value) => value !== undefined && value !== '');
  const ascii = options.ascii ?? (locale !== undefined && !/utf-?8/i.test(locale));
  // the console of Linux has no braille in its font
  const graph = options.graph ?? (ascii || TERM === 'linux' ? 'block' : 'braille');
  return { graph, ascii, colours: NO_COLOR === '', theme: options.theme ?? themeOf(COLORFGBG) };
}

/** `15;0` is white on black, `0;15` black on white: what rxvt, Konsole and iTerm2 tell. Dark where nobody tells. */
function themeOf(colours: string | undefined): Look['theme'] {
  const background = Number(/;(\d+)$/.exec(colours ?? '')?.[1] ?? 0);
  return background === 7 || background === 15 ? 'light' : 'dark';
}

type StyleName =
  | 'bold'
  | 'dim'
  | 'underline'
  | 'inverse'
  | 'cyan'
  | 'green'
  | 'yellow'
  | 'red'
  | 'blue'
  | 'magenta';

const DARK: Record<Tone, readonly StyleName[]> = {
  plain: [],
  title: ['bold'],
  quiet: ['dim'],
  accent: ['cyan'],
  good: ['green'],
  warn: ['yellow', 'bold'],
  bad: ['red', 'bold'],
  focus: ['bold', 'underline'],
  selected: ['inverse'],
};

/** Cyan, green and yellow cannot be read on white. */
const LIGHT: typeof DARK = { ...DARK, accent: ['blue'], good: ['bold'], warn: ['magenta', 'bold'] };

const COLOURS: ReadonlySet<StyleName> = new Set(['cyan', 'green', 'yellow', 'red', 'blue', 'magenta']);

/**
 * A line as a terminal takes it, with its styles closed again.
 * @param isStale the picture is old: all of it is dim
 */
export function styled(line: Line, look: Look, isStale: boolean): string {
  const styles = look.theme === 'light' ? LIGHT : DARK;
  let text = '';
  for (const piece of line) {
    const shown = look.ascii ? toAscii(piece.text) : piece.text;
    const names = isStale ? ['dim' as const] : styles[piece.tone];
    const kept = names.filter((name) => look.colours || !COLOURS.has(name));
    const begin = kept.map((name) => code(name, 0)).join('');
    const end = kept.map((name) => code(name, 1)).join('');
    text += begin + shown + end;
  }
  return text;
}

/** @param which 0 begins the style, 1 ends it */
function code(name: StyleName, which: 0 | 1): string {
  return `\u001b[${inspect.colors[name]?.[which] ?? 0}m`;
}

const ASCII_FOR: Record<string, string> = {
  ...{ '–': '-', '·': '.', '…': '~', '→': '>', '↓': 'v', '↺': '@', '│': '|', '╰': '`', '─': '-', '▸': '>' },
  ...{ '┌': ',', '└': '`' },
  ...{ '●': '*', '◐': 'o', '◑': 'o', '◔': '.', '○': '-', '◌': '~', '▲': '!', '■': '#', '✗': 'x', '✓': '+' },
  ...{ '◆': '!', '×': 'x', µ: 'u', '⇄': '=' },
  ...{ '█': '#', '▓': '=', '░': '.', '▁': '_', '▂': '.', '▃': ':', '▄': '-', '▅': '=', '▆': '+', '▇': '*' },
};

/** The same number of cells in ASCII; what has no sign of its own there is a question mark. */
export function toAscii(text: string): string {
  return text.replace(
    /[^\x20-\x7e]/gu,
    (character) => ASCII_FOR[character] ?? '?'.repeat(Math.max(0, cells(character))),
  );
}
