// The layout of a large cluster: two beam searches, and small changes to what they find. It holds, and is not proven best.
import { beamCover, beamLayout } from './beam.ts';
import { improveOrder } from './local-search.ts';
import { type Layout, layoutCost, type Problem } from './problem.ts';

/** The smallest sum of times within `capNs` that was found. @returns undefined where nothing was */
export function heuristicLayout(problem: Problem, capNs: number): Layout | undefined {
  let best: Layout | undefined;
  let sum = Number.POSITIVE_INFINITY;
  // one looks at sums, the other at how far each stage gets
  for (const begin of [beamLayout(problem, capNs), beamCover(problem, capNs)]) {
    if (!begin) continue;
    const layout = improveOrder(problem, begin, capNs);
    const cost = layoutCost(problem, layout, capNs)?.sumNs ?? Number.POSITIVE_INFINITY;
    if (cost >= sum) continue;
    best = layout;
    sum = cost;
  }
  return best;
}
