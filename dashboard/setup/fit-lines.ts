// The lines of a page as they fit a window: wrapped, or cut off where they are drawings, and scrolled. Pure.
import { wrap } from '../wrap.ts';
import type { Line } from './talk.ts';

export interface Fitted {
  lines: readonly Line[];
  /** what is above and below */
  above: number;
  below: number;
}

/** @param rows of the window that the lines may take */
export function fitLines(lines: readonly Line[], columns: number, rows: number, offset: number): Fitted {
  const all = lines.flatMap(({ text, tone, fixed }): Line[] => {
    if (fixed) return [{ text: cut(text, columns), ...(tone && { tone }) }];
    const indent = ' '.repeat((/^ *(?:[→!i$○●✗] )?/.exec(text)?.[0] ?? '').length);
    return wrap(text, columns, indent)
      .split('\n')
      .flatMap((part) => broken(part, columns))
      .map((part) => ({ text: part, ...(tone && { tone }) }));
  });
  while (all.at(-1)?.text === '') all.pop();
  const above = Math.min(offset, Math.max(0, all.length - rows));
  const shown = all.slice(above, above + rows);
  return { lines: shown, above, below: all.length - above - shown.length };
}

/** A word that is longer than a line goes on in the next one: no part of a command may be missing. */
function broken(text: string, columns: number): string[] {
  const characters = [...text];
  const parts: string[] = [];
  for (let at = 0; at < characters.length; at += columns) {
    parts.push(characters.slice(at, at + columns).join(''));
  }
  return parts.length === 0 ? [''] : parts;
}

function cut(text: string, columns: number): string {
  const characters = [...text];
  return characters.length <= columns ? text : `${characters.slice(0, columns - 1).join('')}…`;
}
