// A node's memory as a bar: weights, KV, scratch, free.
import type { StageMemory } from '../../../protocol/plan-report.ts';

/** Marks of the parts, in their order; what is left is free. */
export const BAR_MARKS = { weights: '█', kv: '▓', scratch: '▒', free: '·' } as const;

/** @param width characters; a part that is there gets at least one of them */
export function memoryBar(memory: StageMemory, width: number): string {
  const { weightBytes, kvBytes, scratchBytes, engineBytes, usableBytes } = memory;
  const parts: [mark: string, bytes: number][] = [
    [BAR_MARKS.weights, weightBytes],
    [BAR_MARKS.kv, kvBytes],
    [BAR_MARKS.scratch, scratchBytes + engineBytes],
  ];
  let bar = '';
  let bytes = 0;
  for (const [mark, part] of parts) {
    bytes += part;
    const end = Math.min(Math.round((bytes / usableBytes) * width), width);
    bar += mark.repeat(Math.max(end - bar.length, part > 0 && bar.length < width ? 1 : 0));
  }
  return bar + BAR_MARKS.free.repeat(width - bar.length);
}
