// How far each node gets within a time: what both searches ask for at every step. Pure.
import { type Problem, stageTimeNs } from './problem.ts';

/** [node][start]: where the longest run from here ends that fits and stays within `capNs`, as no last stage. */
export function reachWithin(problem: Problem, capNs: number): Int16Array[] {
  return problem.reach.map((reach, node) =>
    reach.map((fitting, start) => {
      let end = fitting;
      while (end > start && stageTimeNs(problem, node, start, end) > capNs) end--;
      return end;
    }),
  );
}
