// Small graphs of characters: a history in braille or blocks, and shares as bars. They know numbers and widths, nothing
// else.

/** Dots of one braille column from the bottom up, for the left and the right half of a cell. */
const LEFT_DOTS = [0x40, 0x04, 0x02, 0x01];
const RIGHT_DOTS = [0x80, 0x20, 0x10, 0x08];
const BRAILLE = 0x2800;
const BLOCKS = '▁▂▃▄▅▆▇█';

/** Samples that one character of a history shows. */
export const SAMPLES_A_CELL = { braille: 2, block: 1 } as const;
export type GraphKind = keyof typeof SAMPLES_A_CELL;

/**
 * The newest samples as a line, the newest at the right. A sample that was not measured leaves its place empty; a measured
 * zero shows the lowest dot.
 * @param max the value of full height; histories that are to be compared share one
 * @param width characters
 */
export function sparkline(
  samples: readonly (number | null)[],
  max: number,
  width: number,
  kind: GraphKind = 'braille',
): string {
  const places = Math.max(0, width * SAMPLES_A_CELL[kind]);
  const newest = samples.slice(Math.max(0, samples.length - places));
  const padded = [...Array<null>(places - newest.length).fill(null), ...newest];
  return kind === 'braille' ? brailleLine(padded, max) : blockLine(padded, max);
}

/**
 * The same as a chart of several lines, the highest first.
 * @param samples as many as there are places, or fewer: they stand at the right
 */
export function chart(
  samples: readonly (number | null)[],
  max: number,
  size: { width: number; lines: number },
  kind: GraphKind,
): string[] {
  return Array.from({ length: size.lines }, (_, index) => {
    const below = size.lines - 1 - index;
    // each line shows its own part of the height; below its part there is nothing, not a zero
    const part = samples.map((sample) => {
      const share = sample === null || !(max > 0) ? null : (sample / max) * size.lines - below;
      if (share === null) return sample === null || below > 0 ? null : 0;
      return share <= 0 && below > 0 ? null : share;
    });
    return sparkline(part, 1, size.width, kind);
  });
}

function brailleLine(samples: readonly (number | null)[], max: number): string {
  let line = '';
  for (let place = 0; place < samples.length; place += 2) {
    const left = dots(samples[place] ?? null, max, LEFT_DOTS);
    const cell = left | dots(samples[place + 1] ?? null, max, RIGHT_DOTS);
    line += cell === 0 ? ' ' : String.fromCharCode(BRAILLE + cell);
  }
  return line;
}

function blockLine(samples: readonly (number | null)[], max: number): string {
  return samples
    .map((sample) => (sample === null ? ' ' : BLOCKS[level(sample, max, BLOCKS.length)]))
    .join('');
}

function dots(sample: number | null, max: number, column: readonly number[]): number {
  if (sample === null) return 0;
  return column.slice(0, 1 + level(sample, max, column.length)).reduce((cell, dot) => cell | dot, 0);
}

/** From 0 to `levels` - 1. */
function level(sample: number, max: number, levels: number): number {
  return max > 0 ? Math.round(Math.min(1, Math.max(0, sample / max)) * (levels - 1)) : 0;
}

/**
 * So few samples that each has a place of its own: means of equal parts, null where a part was not measured at all.
 * @param count of samples that are wanted
 */
export function resample(samples: readonly (number | null)[], count: number): (number | null)[] {
  if (samples.length <= count) return [...samples];
  return Array.from({ length: count }, (_, index) => {
    const begin = Math.floor((index * samples.length) / count);
    const end = Math.floor(((index + 1) * samples.length) / count);
    const part = samples.slice(begin, end).filter((sample) => sample !== null);
    return part.length === 0 ? null : part.reduce((sum, sample) => sum + sample, 0) / part.length;
  });
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

/**
 * What a memory holds as a bar: weights full, KV half, the rest empty. What is there at all shows.
 * @param usedBytes weights, then KV
 */
export function memoryBar(
  usedBytes: { weights: number; kv: number },
  totalBytes: number,
  width: number,
): string {
  if (!(totalBytes > 0)) return ' '.repeat(width);
  const part = (bytes: number) => (bytes > 0 ? Math.max(1, Math.round((bytes / totalBytes) * width)) : 0);
  const weights = Math.min(width, part(usedBytes.weights));
  const kv = Math.min(width - weights, part(usedBytes.kv));
  return '█'.repeat(weights) + '▓'.repeat(kv) + '░'.repeat(width - weights - kv);
}
