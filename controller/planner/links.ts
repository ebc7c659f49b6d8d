// Links between nodes: what a kind of cable is taken for until it is measured, and how long something takes over it.
// Pure; which cables there are is not known here.
import type { Link } from '../../protocol/plan.ts';
import type { NodeLink, NodePair } from './inputs.ts';

/**
 * Kinds of links, each an estimate until it is measured on the cable itself.
 * Thunderbolt: IP over a Thunderbolt 4 cable carried 16.4 of 40 Gbit/s (iperf3, MTU 1500, jiribrejcha.net); no trustworthy
 * figure of Thunderbolt 5 was found, so the same share of 80 Gbit/s is taken. Round trips of 0.38 to 0.95 ms under load
 * (exo issue 2295), about 300 µs one way (Geerling, December 2025). Wi-Fi: 4.9 to 54 ms (exo issue 2295). Ethernet: TCP's
 * share of the line rate; round trips are those of a home's switch, not of a source.
 */
const LINK_KINDS = {
  'thunderbolt-5': { kind: 'thunderbolt', label: 'Thunderbolt 5', linkGbps: 33, roundTripMs: 0.6 },
  'thunderbolt-4': { kind: 'thunderbolt', label: 'Thunderbolt 4', linkGbps: 16, roundTripMs: 0.6 },
  '10gbe': { kind: 'ethernet', label: '10GbE', linkGbps: 9.4, roundTripMs: 0.5 },
  '2.5gbe': { kind: 'ethernet', label: '2.5GbE', linkGbps: 2.35, roundTripMs: 0.6 },
  gbe: { kind: 'ethernet', label: '1GbE', linkGbps: 0.94, roundTripMs: 0.6 },
  wifi: { kind: 'wifi', label: 'Wi-Fi', linkGbps: 0.5, roundTripMs: 6 },
} as const satisfies Record<string, Omit<Link, 'source'>>;
export type LinkName = keyof typeof LINK_KINDS;

/** What two nodes are taken to be linked by while nobody has measured it: a home's wired network. */
export const UNKNOWN_LINK: Link = {
  kind: 'unknown',
  label: 'network, not measured',
  linkGbps: LINK_KINDS.gbe.linkGbps,
  roundTripMs: 1,
  source: 'estimate',
};

export function estimatedLink(name: LinkName): Link {
  return { ...LINK_KINDS[name], source: 'estimate' };
}

/**
 * Two ways are told apart by round trips no shorter than this: what is below is how long two processes take to wake up
 * (30 to 160 µs between idle ones on Linux, the same for a cable and for a switch), and differs with every measurement.
 */
const LEAST_ROUND_TRIP_MS = 0.25;

/** The time by which ways are compared: `hopMs` without what is noise. */
export function comparedHopMs(link: Link, bytes: number): number {
  return hopMs({ ...link, roundTripMs: Math.max(link.roundTripMs, LEAST_ROUND_TRIP_MS) }, bytes);
}

/** From the first byte sent to the last one there: half a round trip and the bytes at the link's throughput. */
export function hopMs(link: Link, bytes: number): number {
  return link.roundTripMs / 2 + carryMs(link, bytes);
}

/** How long the bytes keep the link itself busy: steps that follow one another wait for this, not for the way. */
export function carryMs(link: Link, bytes: number): number {
  return bytes / (link.linkGbps * 125_000);
}

/**
 * Every link between two nodes, by their ids in either order.
 * @param otherLink what nodes without one have
 * @param unlinked those that have none at all
 */
export function linkTable(
  links: readonly NodeLink[],
  otherLink: Link | undefined,
  unlinked: readonly NodePair[] = [],
): (a: string, b: string) => readonly Link[] {
  const key = (a: string, b: string) => JSON.stringify(a < b ? [a, b] : [b, a]);
  const none = new Set(unlinked.map((pair) => key(...pair)));
  const table = new Map<string, Link[]>([...none].map((pair) => [pair, []]));
  for (const { between, link } of links) {
    if (none.has(key(...between))) continue;
    const known = table.get(key(...between));
    if (known) known.push(link);
    else table.set(key(...between), [link]);
  }
  const others = otherLink ? [otherLink] : [];
  return (a, b) => table.get(key(a, b)) ?? others;
}
