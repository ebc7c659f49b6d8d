// The measured ways as a planner sees links: between two nodes, in either direction, as slow as the slower one. Pure.
import type { InterfaceKind } from '../../protocol/facts.ts';
import type { Link } from '../../protocol/plan.ts';
import type { NodeLink } from '../planner/inputs.ts';
import type { HopPath } from './hop-path.ts';

/** What works both ways; in the order of the ways. */
export function measuredLinks(paths: readonly HopPath[]): NodeLink[] {
  return paths.flatMap((there): NodeLink[] => {
    if (there.from > there.to) return [];
    const back = paths.find(
      ({ from, to, localAddress, listenAddress }) =>
        from === there.to &&
        to === there.from &&
        localAddress === there.listenAddress &&
        listenAddress === there.localAddress,
    );
    const linkGbps = Math.min(there.figures.gbps, back?.figures.gbps ?? 0);
    if (!back || linkGbps <= 0) return [];
    // of a few bytes: what more of them take, the throughput tells
    const roundTripUs = Math.max(there.figures.smallRttP50Us, back.figures.smallRttP50Us);
    const link: Link = {
      kind: KINDS[there.kind] ?? 'unknown',
      label: there.fromInterface,
      linkGbps,
      roundTripMs: roundTripUs / 1000,
      source: 'measured',
    };
    return [{ between: [there.from, there.to], link }];
  });
}

const KINDS: Partial<Record<InterfaceKind, Link['kind']>> = {
  thunderbolt: 'thunderbolt',
  'thunderbolt-bridge': 'thunderbolt',
  ethernet: 'ethernet',
  wifi: 'wifi',
};
