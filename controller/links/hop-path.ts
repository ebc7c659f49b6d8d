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

/** A way that is so many times as fast as the one in use is worth taking instead; measurements differ by less. */
export const WORTH_CHANGING = 1.5;

/**
 * Whether a hop has a way that is worth changing to.
 * @param inUse undefined for a way that was never measured
 */
export function hasBetterWay(
  best: HopPath | undefined,
  inUse: HopPath | undefined,
  paths: readonly HopPath[],
): boolean {
  if (!best) return false;
  const now = inUse && paths.find((path) => isAmong([path], inUse));
  return !now || hopUs(now.figures) >= hopUs(best.figures) * WORTH_CHANGING;
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
