// What all parsers of foreign text share: limits on what is read, plain labels and numbers, and notes of what was
// strange. It knows no format.
import type { FactNote } from '../../protocol/facts.ts';
import { MAX_FACT_CHARS, MAX_NOTE_CHARS } from '../../protocol/limits.ts';

/** The longest output that is read: ioreg prints 45 KB, `netstat -rn` of a Mac with many neighbours 100 KB. */
export const MAX_OUTPUT_CHARS = 1_048_576;
const MAX_LINES = 20_000;

/** What a parser found, and what it stumbled over. A parser never throws: at worst it finds nothing. */
export interface Parsed<T> {
  value: T;
  notes: FactNote[];
}

/** The lines of an output, without their ends; what is beyond the limits is dropped. */
export function lines(text: string): string[] {
  return text
    .slice(0, MAX_OUTPUT_CHARS)
    .split(/\r\n|\n|\r/, MAX_LINES)
    .map((line) => line.trimEnd());
}

/** A text in a form that the schema takes; null when nothing is left of it, or when it is no text. */
export function label(value: unknown, maxChars = MAX_FACT_CHARS): string | null {
  if (typeof value !== 'string') return null;
  const text = value
    .slice(0, 4 * maxChars)
    .replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ')
    .replace(/ {2,}/g, ' ')
    .trim();
  // cut by whole characters, so that none is halved
  let cut = '';
  for (const character of text) {
    if (cut.length + character.length > maxChars) break;
    cut += character.isWellFormed() ? character : '\uFFFD';
  }
  return cut.trimEnd() || null;
}

/** `label`, of a field that says "nothing here" in one of macOS's ways. */
export function labelUnlessNone(value: unknown): string | null {
  const text = label(value);
  return text === null || /^(?:none|\(null\))$/i.test(text) ? null : text;
}

/** A note whose parts may come from anywhere. */
export function note(source: string, text: string): FactNote {
  return { source: label(source) ?? 'facts', text: label(text, MAX_NOTE_CHARS) ?? 'something was strange' };
}

/** A whole number in decimal digits, 0 to `max`; null for all else. */
export function wholeNumber(value: unknown, max = Number.MAX_SAFE_INTEGER): number | null {
  const text = typeof value === 'number' ? String(value) : value;
  if (typeof text !== 'string' || !/^\d{1,16}$/.test(text)) return null;
  const number = Number(text);
  return number <= max ? number : null;
}

/** 0 to 100 as a share of one; null for all else. */
export function percentShare(value: unknown): number | null {
  const percent = wholeNumber(value, 100);
  return percent === null ? null : percent / 100;
}

const INTERFACE_NAME = /^[A-Za-z][\w.@:-]{0,31}$/;

export function isInterfaceName(value: unknown): value is string {
  return typeof value === 'string' && INTERFACE_NAME.test(value);
}

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** In capitals, as macOS prints it; null for what is none. */
export function uuid(value: unknown): string | null {
  return typeof value === 'string' && UUID.test(value.trim()) ? value.trim().toUpperCase() : null;
}

/** `512 GB`, as Apple writes memory: units of 1024. */
export function memorySize(value: unknown): number | null {
  const match = /^\s*(\d{1,6})\s*(MB|GB|TB)\s*$/.exec(typeof value === 'string' ? value.slice(0, 40) : '');
  if (!match) return null;
  const exponent = { MB: 2, GB: 3, TB: 4 }[match[2] as 'MB' | 'GB' | 'TB'];
  const bytes = Number(match[1]) * 1024 ** exponent;
  return Number.isSafeInteger(bytes) ? bytes : null;
}

/** Keeps the first `max`, and says so when there were more. */
export function atMost<T>(
  items: readonly T[],
  max: number,
  source: string,
  what: string,
  notes: FactNote[],
): T[] {
  if (items.length > max) notes.push(note(source, `${items.length} ${what}: only the first ${max} are told`));
  return items.slice(0, max);
}
