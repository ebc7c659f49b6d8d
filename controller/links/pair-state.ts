// What is known of the links between two nodes, and its two other faces: the public picture, and the ways for hops. Pure.
import type { LinkEnd, LinkFigures, LinkMiss, LinkPair, LinkPath } from '../../protocol/links.ts';
import { type Candidate, dialled, isLoopback, type LinkNode } from './candidates.ts';
import type { HopPath } from './hop-path.ts';

/** The first few tell enough: 64 nodes are 2,016 pairs, with up to 128 misses each. */
const MAX_MISSES_SHOWN = 16;

/** A path that was there and is not any more. */
export interface GonePath {
  path: LinkPath;
  group: string;
  why: string;
}

export interface KnownPath extends LinkPath {
  group: string;
  /** measurements in a row that did not reach it */
  misses: number;
}

export interface PairState {
  readonly key: string;
  a: LinkNode;
  b: LinkNode;
  isSameMachine: boolean;
  candidates: Candidate[];
  paths: KnownPath[];
  misses: LinkMiss[];
  gone: GonePath[];
  /** addresses where the agents may not listen */
  notOffered: { a: string[]; b: string[] };
  /** on the caller's clock: when it is to be measured next */
  dueAt: number;
  /** milliseconds since 1970 */
  measuredAt: number | undefined;
  failure: string | undefined;
  /** measurements in a row that found no way there and back; as many as prove it where all ways have gone away */
  wayless: number;
}

/** One measurement may have met a busy machine. */
const PROOFS = 2;

/** Whether there is a way there and one back. */
export function hasWay({ paths }: Pick<PairState, 'paths'>): boolean {
  return paths.some(({ there }) => isUsable(there)) && paths.some(({ back }) => isUsable(back));
}

function isUsable(figures: LinkFigures | null): boolean {
  return figures !== null && figures.gbps > 0;
}

/**
 * Whether it is known that no hop can go between the two. A hop without a measured way goes to the address by which the
 * controller reaches the node: where that was not tried (a VPN, another subnet), nothing is known.
 */
export function isUnlinked({ a, b, isSameMachine: isSame, candidates: tried, wayless }: PairState): boolean {
  const wasTried = (host: string, side: 'a' | 'b') =>
    isLoopback(host) || tried.some((candidate) => plain(candidate[side].address) === plain(host));
  return !isSame && wayless >= PROOFS && wasTried(a.host, 'a') && wasTried(b.host, 'b');
}

function plain(address: string): string {
  return address.split('%')[0] ?? address;
}

/** Takes down whether there was a way. */
export function noteWays(pair: PairState, isCertain: boolean): void {
  if (hasWay(pair)) pair.wayless = 0;
  else pair.wayless = isCertain ? PROOFS : Math.min(pair.wayless + 1, PROOFS);
}

/** Whether a measurement was made, however it ended. */
export function isTried({ measuredAt, failure }: PairState): boolean {
  return measuredAt !== undefined || failure !== undefined;
}

/** Whether all is known of a pair that can be: it was measured, or there is nothing to measure. */
export function isSettled({ a, b, candidates: found, measuredAt }: PairState): boolean {
  return measuredAt !== undefined || (found.length === 0 && a.machine !== null && b.machine !== null);
}

/** The public picture of a pair. */
export function publicPair(pair: PairState): LinkPair {
  const { a, b, isSameMachine: same, paths, misses, measuredAt, failure } = pair;
  return {
    a: { id: a.id, name: a.name },
    b: { id: b.id, name: b.name },
    isSameMachine: same,
    measuredAt: measuredAt ?? null,
    failure: failure ?? null,
    paths: paths.map(({ group: _, misses: __, ...path }) => path),
    misses: misses.slice(0, MAX_MISSES_SHOWN),
  };
}

/** Each way that a hop can take between the two, measured. */
export function hopPathsOf({ a, b, paths }: PairState): HopPath[] {
  return paths.flatMap((path) => [
    ...(path.there ? [hopPath(a.id, b.id, path.from, path.to, path.there)] : []),
    ...(path.back ? [hopPath(b.id, a.id, path.to, path.from, path.back)] : []),
  ]);
}

/** The same for the same two addresses. */
export function ends({ from, to }: LinkPath): string {
  return addressKey({ a: from, b: to });
}

export function addressKey({ a, b }: Pick<Candidate, 'a' | 'b'>): string {
  return `${a.address} ${b.address}`;
}

function hopPath(from: string, to: string, own: LinkEnd, far: LinkEnd, figures: LinkFigures): HopPath {
  return {
    ...{ from, to, figures, kind: figures.kind },
    localAddress: own.address,
    dialAddress: dialled(own, far),
    listenAddress: far.address,
    fromInterface: own.interface,
    toInterface: far.interface,
  };
}
