// Makes a layout better by small changes of its order until none helps: for clusters that cannot be searched exactly.
import { type Layout, layoutCost, type Problem } from './problem.ts';
import { splitOrder } from './split.ts';

/** Stages × layers² of all splits that are tried: about half a second. */
const MAX_WORK = 3e8;

/**
 * Tries every node in every stage's place, every two stages swapped, every run of stages turned round, every stage left
 * out and every unused node put in between; takes the first that has a smaller sum within `capNs`, and begins again.
 */
export function improveOrder(problem: Problem, start: Layout, capNs: number): Layout {
  const sumOf = (layout: Layout) => layoutCost(problem, layout, capNs)?.sumNs ?? Number.POSITIVE_INFINITY;
  let best = splitOrder(problem, start.order, capNs) ?? start;
  let sum = sumOf(best);
  let work = 0;
  for (let improved = true; improved; ) {
    improved = false;
    for (const order of neighbours(best.order, problem)) {
      work += order.length * problem.layerCount ** 2;
      if (work > MAX_WORK) return best;
      const layout = splitOrder(problem, order, capNs);
      const next = layout ? sumOf(layout) : Number.POSITIVE_INFINITY;
      if (!layout || next >= sum) continue;
      best = layout;
      sum = next;
      improved = true;
      break;
    }
  }
  return best;
}

function* neighbours(order: readonly number[], problem: Problem): Generator<number[]> {
  const unused = [...problem.nodes.keys()].filter((node) => !order.includes(node));
  for (const i of order.keys()) {
    for (const node of unused) yield order.with(i, node);
    if (order.length > 1) yield order.toSpliced(i, 1);
  }
  for (let i = 0; i < order.length; i++) {
    for (let j = i + 1; j < order.length; j++) {
      yield order.with(i, order[j] as number).with(j, order[i] as number);
      if (j > i + 1) yield [...order.slice(0, i), ...order.slice(i, j + 1).reverse(), ...order.slice(j + 1)];
      const [moved] = order.slice(j, j + 1) as [number];
      const without = order.toSpliced(j, 1);
      yield without.toSpliced(i, 0, moved);
    }
  }
  if (order.length >= problem.maxStages) return;
  for (let i = 0; i <= order.length; i++) for (const node of unused) yield order.toSpliced(i, 0, node);
}
