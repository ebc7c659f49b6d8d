// The last lines: what is asked of the person, what became of a wish, or the keys; and which controller it comes from.
import { printable } from '../format.ts';
import type { Ui } from '../ui.ts';
import { joinFitting, type Line, span, spread } from './line.ts';
import { cells, wrap } from './text.ts';

export interface FootInput {
  ui: Ui;
  size: { columns: number };
  controller: string;
  hasKeys: boolean;
}

/** What became of a wish may be a sentence or two, with the way out. */
const MAX_NOTICE_LINES = 4;

export function footLines(input: FootInput): Line[] {
  const { ui, size, hasKeys } = input;
  if (!hasKeys || ui.question || ui.typing === 'filter' || ui.typing === 'code' || ui.notice === null)
    return [footLine(input)];
  const lines = wrap(printable(ui.notice), size.columns, MAX_NOTICE_LINES);
  return lines.map((line): Line => [span(line, 'accent')]);
}

function footLine({ ui, size, controller, hasKeys }: FootInput): Line {
  const { columns } = size;
  if (!hasKeys) return spread([span('Ctrl-C quit', 'quiet')], [span(controller, 'quiet')], columns);
  if (ui.question) {
    const { text, answers } = ui.question;
    const labels = [...answers.map(({ label }) => label), 'any other key: no'];
    return [span(text, 'warn'), span('  '), span(labels.join(' · '), 'accent')];
  }
  if (ui.typing === 'code') {
    const name = printable(ui.newcomer?.name ?? '');
    const keys = span('  enter let it in · tab another node · esc', 'quiet');
    return [span(`Code that ${name} shows: `), span(ui.code), span('█', 'accent'), keys];
  }
  if (ui.typing === 'filter') return [span('/', 'accent'), span(ui.filter), span('█', 'accent')];
  const filter = ui.filter === '' ? [] : [[span(`/${ui.filter}`, 'accent')] as Line];
  const keys = keysOf(ui).map((text): Line => [span(text, 'quiet')]);
  const from = shortUrl(printable(controller), columns);
  const room = Math.max(0, columns - cells(from) - 2);
  return spread(joinFitting([...filter, ...keys], room), [span(from, 'quiet')], columns);
}

function keysOf({ overlay, isPaused }: Ui): string[] {
  if (overlay === 'chat') return ['enter ask', 'esc back'];
  if (overlay !== 'none') return ['q quit', 'esc back'];
  const pause = isPaused ? 'p go on' : 'p pause';
  return [
    'q quit',
    '? help',
    'tab pane',
    'enter all',
    '/ filter',
    't ask',
    pause,
    'd drain',
    'c cancel',
    'a add',
  ];
}

/** On a narrow screen the keys need the room. */
function shortUrl(url: string, columns: number): string {
  return columns < 70 ? url.replace(/^https?:\/\//, '') : url;
}
