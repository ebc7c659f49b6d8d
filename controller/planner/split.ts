// The best split of the layers over nodes whose order is given: exact, by dynamic programming over (stage, layer).

import { roomBytes } from './memory.ts';
import { type Layout, layoutWays, type Problem, stageBytes, stageFits, stageTimeNs } from './problem.ts';

/** For each stage, the first and the last layer that it may end before. */
export type StageEnds = readonly (readonly [least: number, most: number])[];

/**
 * Of all splits whose slowest stage and busiest link stay within `capNs`: the one with the smallest sum of times; of equal
 * ones, the one whose fullest node is the emptiest. Every node gets at least one layer.
 * @param ends where stages may end; undefined: anywhere
 * @returns undefined where there is none
 */
export function splitOrder(
  problem: Problem,
  order: readonly number[],
  capNs: number,
  ends?: StageEnds,
): Layout | undefined {
  const { layerCount, pinnedBounds } = problem;
  const stages = order.length;
  if (!layoutWays(problem, order, capNs) || stages > layerCount) return undefined;
  if (pinnedBounds && pinnedBounds.length !== stages + 1) return undefined;
  const width = layerCount + 1;
  let sums = new Float64Array(width).fill(Number.POSITIVE_INFINITY);
  let shares = new Float64Array(width);
  sums[0] = 0;
  // from[stage * width + end]: where the stage begins
  const from = new Int16Array(stages * width).fill(-1);
  for (const [stage, node] of order.entries()) {
    const room = roomBytes(problem.nodes[node] as Problem['nodes'][number]);
    const nextSums = new Float64Array(width).fill(Number.POSITIVE_INFINITY);
    const nextShares = new Float64Array(width);
    const isLast = stage === stages - 1;
    const [least, most] = ends?.[stage] ?? [0, layerCount];
    for (let start = stage; start < layerCount; start++) {
      const before = sums[start] as number;
      if (before === Number.POSITIVE_INFINITY) continue;
      const firstEnd = isLast ? layerCount : start + 1;
      const lastEnd = isLast ? layerCount : layerCount - (stages - 1 - stage);
      for (let end = firstEnd; end <= lastEnd; end++) {
        if (pinnedBounds && pinnedBounds[stage + 1] !== end) continue;
        if (end < least || end > most) continue;
        if (!stageFits(problem, node, start, end)) break;
        const ns = stageTimeNs(problem, node, start, end);
        if (ns > capNs) break;
        const sum = before + ns;
        const share = Math.max(shares[start] as number, stageBytes(problem, node, start, end) / room);
        const known = nextSums[end] as number;
        if (sum > known || (sum === known && share >= (nextShares[end] as number))) continue;
        nextSums[end] = sum;
        nextShares[end] = share;
        from[stage * width + end] = start;
      }
    }
    sums = nextSums;
    shares = nextShares;
  }
  if (sums[layerCount] === Number.POSITIVE_INFINITY) return undefined;
  const bounds = [layerCount];
  for (let stage = stages - 1; stage >= 0; stage--) {
    bounds.unshift(from[stage * width + (bounds[0] as number)] as number);
  }
  return { order: [...order], bounds };
}
