// The measured ways as a planner sees links: one between two nodes, in either direction, as slow as the slower one. Pure.
import type { InterfaceKind } from '../../protocol/facts.ts';
import type { Link } from '../../protocol/plan.ts';
import type { NodeLink } from '../planner/inputs.ts';
import { bestHop, type HopPath, hopUs } from './hop-path.ts';

/** A link for each two nodes that reach one another: of the ways that hops would take between them. */
export function measuredLinks(paths: readonly HopPath[]): NodeLink[] {
  const pairs = new Map(
    paths.filter(({ from, to }) => from < to).map(({ from, to }) => [`${from} ${to}`, { from, to }]),
  );
  return [...pairs.values()].flatMap(({ from, to }): NodeLink[] => {
    const there = bestHop(paths, from, to);
    const back = bestHop(paths, to, from);
    if (![there, back].every((way) => way && Number.isFinite(hopUs(way.figures)))) return [];
    return there && back ? [{ between: [from, to], link: linkOf(there, back) }] : [];
  });
}

function linkOf(there: HopPath, back: HopPath): Link {
  // of a few bytes: what more of them take, the throughput tells
  const roundTripUs = Math.max(there.figures.smallRttP50Us, back.figures.smallRttP50Us);
  return {
    kind: KINDS[there.kind] ?? 'unknown',
    label: there.fromInterface,
    linkGbps: Math.min(there.figures.gbps, back.figures.gbps),
    roundTripMs: roundTripUs / 1000,
    source: 'measured',
  };
}

const KINDS: Partial<Record<InterfaceKind, Link['kind']>> = {
  thunderbolt: 'thunderbolt',
  'thunderbolt-bridge': 'thunderbolt',
  ethernet: 'ethernet',
  wifi: 'wifi',
};
