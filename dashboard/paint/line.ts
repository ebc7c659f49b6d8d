// A line of the screen as pieces of text with a meaning each. Painters make lines; only the theme knows what a meaning
// looks like.
import { cells, cut } from './text.ts';

/** focus: where the keyboard is · selected: what it acts on */
export type Tone = 'plain' | 'title' | 'quiet' | 'accent' | 'good' | 'warn' | 'bad' | 'focus' | 'selected';

export interface Span {
  text: string;
  tone: Tone;
}

export type Line = readonly Span[];

export function span(text: string, tone: Tone = 'plain'): Span {
  return { text, tone };
}

export function lineWidth(line: Line): number {
  return line.reduce((sum, { text }) => sum + cells(text), 0);
}

/** At most `width` cells. */
export function clipLine(line: Line, width: number): Line {
  if (lineWidth(line) <= width) return line;
  const kept: Span[] = [];
  let room = width;
  for (const { text, tone } of line) {
    const shown = cut(text, room);
    kept.push(span(shown, tone));
    room -= cells(shown);
    if (shown !== text || room <= 0) break;
  }
  return kept;
}

/** The line, and spaces up to `width` cells. */
export function padLine(line: Line, width: number): Line {
  const clipped = clipLine(line, width);
  const missing = width - lineWidth(clipped);
  return missing > 0 ? [...clipped, span(' '.repeat(missing))] : clipped;
}

/** One part at the left, one at the right edge; the left one gives way. */
export function spread(left: Line, right: Line, width: number): Line {
  const rightWidth = lineWidth(right);
  const room = width - rightWidth - 1;
  if (room < 1) return clipLine(right, width);
  return [...padLine(left, room), span(' '), ...right];
}

/** As many parts as fit, in their order, with two spaces between. */
export function joinFitting(parts: readonly Line[], width: number, gap = '  '): Line {
  const joined: Span[] = [];
  let used = 0;
  for (const part of parts) {
    const needed = lineWidth(part) + (joined.length > 0 ? cells(gap) : 0);
    if (used + needed > width) break;
    if (joined.length > 0) joined.push(span(gap));
    joined.push(...part);
    used += needed;
  }
  return joined;
}

/** Two columns of lines side by side, `gap` cells apart, as high as the higher one. */
export function beside(
  left: readonly Line[],
  right: readonly Line[],
  leftWidth: number,
  gap: number,
): Line[] {
  const height = Math.max(left.length, right.length);
  return Array.from({ length: height }, (_, index) => {
    const other = right[index];
    const own = padLine(left[index] ?? [], leftWidth);
    return other ? [...own, span(' '.repeat(gap)), ...other] : own;
  });
}

export function plainText(line: Line): string {
  return line.map(({ text }) => text).join('');
}
