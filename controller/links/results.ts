// What one measurement tells of a pair: its paths in the words of the public picture, and what was not reached. Pure.
import type { LinkEnd, LinkFigures, LinkMiss } from '../../protocol/links.ts';
import type { ProbeFigures } from '../../protocol/probe.ts';
import { dialled, type LinkNode } from './candidates.ts';
import type { Measured, TriedPath } from './measurement.ts';
import { addressKey, ends, type KnownPath, type PairState } from './pair-state.ts';

/** @param at milliseconds since 1970 */
export function pathsOf(pair: PairState, { tried }: Measured, at: number): KnownPath[] {
  const measured = tried.flatMap((path) => pathOf(pair, path, at));
  return withoutEchoes(measured).map((path) =>
    withBefore(
      path,
      pair.paths.find((known) => ends(known) === ends(path)),
    ),
  );
}

/** The addresses that were reached in one direction at least, by `ends`. */
export function reachedEnds({ tried }: Measured): ReadonlySet<string> {
  return new Set(tried.filter(isReached).map(({ candidate }) => addressKey(candidate)));
}

/** The tries that did not succeed. */
export function missesOf(pair: PairState, { tried }: Measured): LinkMiss[] {
  return tried.flatMap((path) => missesOfPath(pair, path));
}

function pathOf(pair: PairState, { candidate, figures }: TriedPath, at: number): KnownPath[] {
  if (!figures.a && !figures.b) return [];
  const { a: from, b: to, group } = candidate;
  return [
    {
      ...{ from, to, group, misses: 0, measuredAt: at },
      there: figures.a && publicFigures(figures.a, pair.a, from.kind),
      back: figures.b && publicFigures(figures.b, pair.b, to.kind),
    },
  ];
}

/** A direction that worked before and did not this time stays until it is missed twice. */
function withBefore(path: KnownPath, before: KnownPath | undefined): KnownPath {
  const isLess = (before?.there && !path.there) || (before?.back && !path.back);
  if (!before || !isLess || before.misses >= 1) return path;
  return { ...path, there: path.there ?? before.there, back: path.back ?? before.back, misses: 1 };
}

/**
 * Leaves out what is another path in disguise: systems answer for any of their addresses on any interface, so a neighbour's
 * second address seems to be reached as well. One that strays to Wi-Fi stays: it is a finding.
 */
function withoutEchoes(paths: readonly KnownPath[]): KnownPath[] {
  const declared = new Set(paths.map(({ from, to }) => `${from.interface} ${to.interface}`));
  return paths.filter(({ from, to, there, back }) => {
    const own = there?.carriedBy ?? from.interface;
    const far = back?.carriedBy ?? to.interface;
    const isOwn = own === from.interface && far === to.interface;
    const strays = [there?.kind, back?.kind].some((kind) => kind === 'wifi' || kind === 'vpn');
    return isOwn || strays || !declared.has(`${own} ${far}`);
  });
}

function isReached({ tries }: TriedPath): boolean {
  return tries.a?.outcome === 'reached' || tries.b?.outcome === 'reached';
}

function publicFigures(
  { hidden, small, burst, carriedBy }: ProbeFigures,
  sender: LinkNode,
  expected: LinkFigures['kind'],
): LinkFigures {
  const carrier = sender.machine?.interfaces.find(({ name }) => name === carriedBy);
  return {
    rttP50Us: hidden.p50Us,
    rttP99Us: hidden.p99Us,
    smallRttP50Us: small.p50Us,
    smallRttP99Us: small.p99Us,
    gbps: burst.gbps,
    carriedBy,
    kind: carrier?.kind ?? expected,
  };
}

function missesOfPath(pair: PairState, { candidate, tries }: TriedPath): LinkMiss[] {
  const { a, b } = candidate;
  const miss = (by: LinkNode, from: LinkEnd, to: LinkEnd, side: 'a' | 'b'): LinkMiss[] => {
    const one = tries[side];
    if (!one || one.outcome === 'reached') return [];
    const { outcome, code } = one;
    return [{ by: by.id, fromAddress: from.address, toAddress: dialled(from, to), outcome, code }];
  };
  return [...miss(pair.a, a, b, 'a'), ...miss(pair.b, b, a, 'b')];
}
