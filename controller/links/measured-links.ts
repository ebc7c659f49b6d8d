// The measured ways as a planner sees links: between two nodes, in either direction, as slow as the slower one. Pure.
import type { InterfaceKind } from '../../protocol/facts.ts';
import type { HopPath } from './hop-path.ts';

export interface MeasuredLink {
  between: [a: string, b: string];
  link: {
    kind: 'thunderbolt' | 'ethernet' | 'wifi' | 'unknown';
    /** the sender's interface */
    label: string;
    linkGbps: number;
    /** of a few bytes: what more of them take, the throughput tells */
    roundTripMs: number;
    source: 'measured';
  };
}

/** What works both ways; in the order of the ways. */
export function measuredLinks(paths: readonly HopPath[]): MeasuredLink[] {
  return paths.flatMap((there): MeasuredLink[] => {
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
    const roundTripUs = Math.max(there.figures.smallRttP50Us, back.figures.smallRttP50Us);
    const link = {
      ...{ kind: KINDS[there.kind] ?? 'unknown', label: there.fromInterface },
      ...{ linkGbps, roundTripMs: roundTripUs / 1000, source: 'measured' as const },
    };
    return [{ between: [there.from, there.to], link }];
  });
}

const KINDS: Partial<Record<InterfaceKind, MeasuredLink['link']['kind']>> = {
  thunderbolt: 'thunderbolt',
  'thunderbolt-bridge': 'thunderbolt',
  ethernet: 'ethernet',
  wifi: 'wifi',
};
