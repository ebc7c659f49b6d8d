// What another machine says, made fit to be shown: nothing in it may steer a terminal, break a line of a log, or hide what
// is written. It must not know what is said.
import { stripVTControlCharacters } from 'node:util';
import { z } from 'zod';

/** Control and format characters, halves of characters, and separators of lines: a space in their place would show nothing. */
const UNSHOWABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

/**
 * Text from another machine on one line, without anything that a terminal would obey:
 * escape sequences and control characters are dropped, line breaks become spaces.
 */
export function printable(text: string): string {
  return stripVTControlCharacters(text)
    .replace(/[\r\n\t]+/g, ' ')
    .replace(UNSHOWABLE, '');
}

/** A text of another machine that people may see, cleaned as it comes in. @param maxChars what is longer is cut */
export function Shown(maxChars: number) {
  return z.string().transform((text) => printable(text.slice(0, maxChars)));
}

/** A name of the same kind, which shows as `?` where nothing is left of it. */
export function ShownName(maxChars: number) {
  return z
    .string()
    .min(1)
    .transform((text) => printable(text.slice(0, maxChars)).trim() || '?');
}

/**
 * A line of JSON that is about to be logged, with what is left in it of the kind: text comes into logs by many ways, errors of
 * libraries among them. Line breaks stay as JSON writes them.
 */
export function printableJsonLine(line: string): string {
  // `\\` first: what looks like an escape behind a backslash is none
  return line
    .trimEnd()
    .replaceAll(/\\\\|\\u[0-9a-f]{4}/gi, (found) => (found === '\\\\' ? found : '�'))
    .replaceAll(UNSHOWABLE, '�')
    .concat('\n');
}
