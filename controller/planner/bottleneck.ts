// The smallest bottleneck that a plan can have: bisection over every time that a stage or a link may take.
import { type Problem, stageTimeNs } from './problem.ts';

/** Every time that a stage or a link may have, in order, each once. One of them is the bottleneck of the best plan. */
export function bottleneckTimes(problem: Problem): Float64Array {
  const { layerCount, nodes, reach, fitsLast } = problem;
  const times = new Set<number>();
  for (const node of nodes.keys()) {
    for (let start = 0; start < layerCount; start++) {
      const longest = reach[node]?.[start] ?? 0;
      for (let end = start + 1; end <= longest; end++) times.add(stageTimeNs(problem, node, start, end));
      if (fitsLast[node]?.[start]) times.add(stageTimeNs(problem, node, start, layerCount));
    }
  }
  for (const table of [problem.hops, problem.closings])
    for (const ways of table.flat()) for (const { carryNs } of ways) times.add(carryNs);
  return Float64Array.from(times).sort();
}

/** The smallest value that is feasible, where all larger ones are too. @returns undefined where none is */
export function smallestFeasible(
  values: Float64Array,
  isFeasible: (value: number) => boolean,
): number | undefined {
  let low = 0;
  let high = values.length - 1;
  if (high < 0 || !isFeasible(values[high] as number)) return undefined;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isFeasible(values[middle] as number)) high = middle;
    else low = middle + 1;
  }
  return values[low];
}
