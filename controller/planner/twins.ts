// Nodes that cannot be told apart: equal times, equal room, equal links to everybody. Most home clusters are made of
// them, and a search need not try both orders of two of them.
import type { Problem, Way } from './problem.ts';

/** [node]: the nearest node before it that is its twin; -1 without one. */
export function twinsBefore(problem: Problem): number[] {
  const kinds = problem.nodes.map((_, node) => kindOf(problem, node));
  return kinds.map((kind, node) => {
    for (let other = node - 1; other >= 0; other--) {
      if (kinds[other] === kind && hasSameLinks(problem, node, other)) return other;
    }
    return -1;
  });
}

/** Times and limits of a node, as one text. */
function kindOf(problem: Problem, node: number): string {
  const lists = [problem.layerNs, problem.reach, problem.fitsLast, problem.layerBytes].map((table) =>
    Array.from(table[node] ?? []).join(),
  );
  return [...lists, problem.headNs[node], problem.stageNs[node], problem.draftNs[node]].join(';');
}

function hasSameLinks(problem: Problem, a: number, b: number): boolean {
  return [problem.hops, problem.closings].every((table) => {
    const same = (from: number, to: number, otherFrom: number, otherTo: number) =>
      waysKey(table[from]?.[to] ?? []) === waysKey(table[otherFrom]?.[otherTo] ?? []);
    return (
      same(a, b, b, a) &&
      problem.nodes.every((_, c) => c === a || c === b || (same(a, c, b, c) && same(c, a, c, b)))
    );
  });
}

function waysKey(ways: readonly Way[]): string {
  return ways.map(({ ns, carryNs }) => `${ns}/${carryNs}`).join();
}
