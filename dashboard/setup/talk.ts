// How a step of the wizard speaks with its user: on a screen with keys, or with flags and lines. The words only; a step must
// not know which of the two it is.
import type { Tone } from './views/theme.tsx';

/** A line of the page; long ones are wrapped. `fixed`: a drawing, which is cut off rather than wrapped. */
export interface Line {
  text: string;
  tone?: Tone;
  fixed?: boolean;
}

export interface Option {
  value: string;
  label: string;
}

/** What a page that changes by itself shows now. */
export interface Look {
  lines: readonly Line[];
  options: readonly Option[];
  /** what was waited for has come: it is the answer */
  answer?: string;
}

export interface ChoiceQuestion {
  /** the flag that answers it beforehand: `role` is `--role` */
  flag?: string;
  question: string;
  options: readonly Option[];
  /** chosen at first, and by whoever lets nothing be asked; undefined: somebody must say */
  initial?: string | undefined;
  /** the flag may hold something else than one of the options */
  takesOther?: boolean;
  /** looks again and again while the question is open */
  look?: () => Promise<Look>;
}

export interface TextQuestion {
  flag?: string;
  question: string;
  initial?: string;
}

export interface Talk {
  /** nobody is there to ask: flags and defaults answer */
  readonly isUnattended: boolean;
  /** The page from now on. */
  show(lines: readonly Line[]): void;
  /** @returns the value of the chosen option; @throws StepLeft */
  choose(question: ChoiceQuestion): Promise<string>;
  /** @throws StepLeft */
  enter(question: TextQuestion): Promise<string>;
  /** Something takes its time; `tell` says how far it is. @throws what the work throws, StepLeft when it is broken off */
  during<T>(
    what: string,
    work: (tell: (lines: readonly Line[]) => void, signal: AbortSignal) => Promise<T>,
  ): Promise<T>;
  /** The terminal belongs to the work as long as it lasts: sudo asks for a password there. */
  outside<T>(work: () => Promise<T>): Promise<T>;
}

/** The user goes back a step, or leaves the wizard. */
export class StepLeft extends Error {
  readonly way: 'back' | 'leave';

  constructor(way: 'back' | 'leave') {
    super(way);
    this.name = 'StepLeft';
    this.way = way;
  }
}

/** Lines in one tone. */
export function linesOf(texts: readonly string[], tone: Tone = 'plain'): Line[] {
  return texts.map((text) => ({ text, tone }));
}

/** A drawing, or a table. */
export function fixed(texts: readonly string[], tone: Tone = 'plain'): Line[] {
  return texts.map((text) => ({ text, tone, fixed: true }));
}

export const BLANK: Line = { text: '' };
