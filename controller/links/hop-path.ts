// A measured way for a hop from one node to another, and which of several is the best. Pure.
import type { InterfaceKind } from '../../protocol/facts.ts';
import type { LinkFigures } from '../../protocol/links.ts';

export interface HopPath {
  /** ids of the node that dials and sends, and of the one that listens */
  from: string;
  to: string;
  /** the sender's own address, and the other node's as the sender dials it */
  localAddress: string;
  dialAddress: string;
  /** the other node's address as it knows it itself */
  listenAddress: string;
  /** the interfaces at both ends */
  fromInterface: string;
  toInterface: string;
  /** of what really carried the burst */
  kind: InterfaceKind;
  figures: LinkFigures;
}

/** R1's hidden state of one token. */
const TOKEN_BYTES = 14_336;
/** A hop carries single tokens and chunks of prompts; so many tokens at once stand for both. */
const TYPICAL_TOKENS = 64;

/** Microseconds of a typical hop: half a round trip of one token, and the rest at the measured throughput. */
export function hopUs({ rttP50Us, gbps }: LinkFigures): number {
  const bits = (TYPICAL_TOKENS - 1) * TOKEN_BYTES * 8;
  return rttP50Us / 2 + (gbps > 0 ? bits / (gbps * 1000) : Number.POSITIVE_INFINITY);
}

/** The fastest from one node to another; of equal ones the first. */
export function bestHop(paths: readonly HopPath[], from: string, to: string): HopPath | undefined {
  let best: HopPath | undefined;
  for (const path of paths) {
    if (path.from !== from || path.to !== to) continue;
    if (!best || hopUs(path.figures) < hopUs(best.figures)) best = path;
  }
  return best;
}

/** A way is worth changing a hop for, and a word, when it is this much faster. */
const WORTH_A_CHANGE = 1.5;

/**
 * The best way for a hop that takes another one, where it is much faster.
 * @param paths as measured now
 * @param taken the hop's; a `localAddress` that is not known may be any
 * @returns undefined where the hop takes the best way, or what it takes was not measured
 */
export function fasterHop(
  paths: readonly HopPath[],
  taken: Pick<HopPath, 'from' | 'to' | 'listenAddress'> & { localAddress?: string | undefined },
): { now: HopPath; better: HopPath } | undefined {
  const { from, to, listenAddress, localAddress } = taken;
  const now = paths.find(
    (path) =>
      path.from === from &&
      path.to === to &&
      path.listenAddress === listenAddress &&
      (localAddress === undefined || path.localAddress === localAddress),
  );
  const better = bestHop(paths, from, to);
  if (!now || !better || hopUs(now.figures) < hopUs(better.figures) * WORTH_A_CHANGE) return undefined;
  return { now, better };
}

/** Whether a path is still among those that work, whatever its figures are now. */
export function isAmong(paths: readonly HopPath[], wanted: HopPath): boolean {
  return paths.some(
    (path) =>
      path.from === wanted.from &&
      path.to === wanted.to &&
      path.localAddress === wanted.localAddress &&
      path.listenAddress === wanted.listenAddress,
  );
}

/** In words: `169.254.1.1 (en5) → 169.254.1.2 (en3), thunderbolt`. */
export function describeHop({
  localAddress,
  fromInterface,
  listenAddress,
  toInterface,
  kind,
}: HopPath): string {
  return `${localAddress} (${fromInterface}) → ${listenAddress} (${toInterface}), ${kind}`;
}
