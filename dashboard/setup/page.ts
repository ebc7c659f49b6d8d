// What the wizard's screen shows, and what keys do to it: pure. Who asks, and what becomes of the answer, is not known here.
import type { StepId } from './order.ts';
import type { Line, Option } from './talk.ts';

export type Ask =
  | { kind: 'choice'; question: string; options: readonly Option[]; selected: number }
  | { kind: 'text'; question: string; text: string }
  | { kind: 'busy'; what: string };

export interface Page {
  step: StepId | null;
  steps: readonly StepId[];
  lines: readonly Line[];
  /** lines that were scrolled past */
  offset: number;
  ask: Ask | null;
}

export const EMPTY_PAGE: Page = { step: null, steps: [], lines: [], offset: 0, ask: null };

export interface Press {
  input: string;
  key: 'up' | 'down' | 'pageUp' | 'pageDown' | 'enter' | 'escape' | 'backspace' | 'ctrlC' | null;
}

export type Pressed = { page: Page } | { answer: string } | { left: 'back' | 'leave' };

/** A text that is typed: a question to a model may be pasted. */
const MAX_TEXT_CHARS = 10_000;
const SCROLL_LINES = 5;

export function press(page: Page, { input, key }: Press): Pressed {
  const { ask, offset } = page;
  if (key === 'ctrlC') return { left: 'leave' };
  if (key === 'escape') return { left: 'back' };
  if (key === 'pageDown') return { page: { ...page, offset: offset + SCROLL_LINES } };
  if (key === 'pageUp') return { page: { ...page, offset: Math.max(0, offset - SCROLL_LINES) } };
  if (ask?.kind === 'choice') return pressChoice(page, ask, input, key);
  if (ask?.kind === 'text') return pressText(page, ask, input, key);
  return { page };
}

function pressChoice(
  page: Page,
  ask: Extract<Ask, { kind: 'choice' }>,
  input: string,
  key: Press['key'],
): Pressed {
  const { options, selected } = ask;
  const move = (to: number): Pressed => {
    const inside = Math.min(Math.max(0, to), options.length - 1);
    return { page: { ...page, ask: { ...ask, selected: inside } } };
  };
  if (key === 'up' || input === 'k') return move(selected - 1);
  if (key === 'down' || input === 'j') return move(selected + 1);
  const typed = /^[1-9]$/.test(input) ? Number(input) - 1 : undefined;
  if (typed !== undefined && typed < options.length) return move(typed);
  const chosen = options[selected];
  return key === 'enter' && chosen ? { answer: chosen.value } : { page };
}

function pressText(
  page: Page,
  ask: Extract<Ask, { kind: 'text' }>,
  input: string,
  key: Press['key'],
): Pressed {
  if (key === 'enter') return ask.text.trim() === '' ? { page } : { answer: ask.text.trim() };
  const characters = [...ask.text];
  const text = key === 'backspace' ? characters.slice(0, -1).join('') : ask.text + printableInput(input);
  return { page: { ...page, ask: { ...ask, text: text.slice(0, MAX_TEXT_CHARS) } } };
}

/** What is pasted may hold anything. */
function printableInput(input: string): string {
  return input.replaceAll(/\s+/g, ' ').replaceAll(/[\p{Cc}\p{Cf}]/gu, '');
}

/** New options of an open choice: what was selected stays selected, where it is still there. */
export function withOptions(page: Page, options: readonly Option[]): Page {
  const { ask } = page;
  if (ask?.kind !== 'choice') return page;
  const value = ask.options[ask.selected]?.value;
  const at = options.findIndex((option) => option.value === value);
  return { ...page, ask: { ...ask, options, selected: Math.max(0, at) } };
}
