// Small graphs of characters: a history in braille and a share as a bar. They know numbers and widths, nothing else.

/** Dots of one braille column from the bottom up, for the left and the right half of a cell. */
const LEFT_DOTS = [0x40, 0x04, 0x02, 0x01];
const RIGHT_DOTS = [0x80, 0x20, 0x10, 0x08];
const BRAILLE = 0x2800;

/**
 * The newest samples as a line of braille, two samples a character, the newest at the right.
 * A sample that was not measured leaves its place empty; a measured zero shows the lowest dot.
 * @param max the value of full height; histories that are to be compared share one
 * @param width characters
 */
export function sparkline(samples: readonly (number | null)[], max: number, width: number): string {
  const places = width * 2;
  const newest = samples.slice(Math.max(0, samples.length - places));
  const padded = [...Array<null>(places - newest.length).fill(null), ...newest];
  let line = '';
  for (let place = 0; place < places; place += 2) {
    const cell =
      column(padded[place] ?? null, max, LEFT_DOTS) | column(padded[place + 1] ?? null, max, RIGHT_DOTS);
    line += cell === 0 ? ' ' : String.fromCharCode(BRAILLE + cell);
  }
  return line;
}

function column(sample: number | null, max: number, dots: readonly number[]): number {
  if (sample === null) return 0;
  const height = max > 0 ? 1 + Math.round(Math.min(1, Math.max(0, sample / max)) * (dots.length - 1)) : 1;
  return dots.slice(0, height).reduce((cell, dot) => cell | dot, 0);
}

/**
 * A share of one as a bar: `███░░`. What was not measured is an empty line.
 * @param width characters
 */
export function bar(share: number | null, width: number): string {
  if (share === null) return ' '.repeat(width);
  const full = Math.round(Math.min(1, Math.max(0, share)) * width);
  return '█'.repeat(full) + '░'.repeat(width - full);
}
