// Pure: the links between each two nodes, and which are to be measured. The facts of the nodes and the results of
// measurements come in; the clock is the caller's.
import { LINKS_FRESH_MS } from '../../protocol/limits.ts';
import { type Candidate, candidates, isSameMachine, type LinkNode } from './candidates.ts';
import { type HopPath, hopUs } from './hop-path.ts';
import type { Measured } from './measurement.ts';
import {
  addressKey,
  ends,
  hasWay,
  hopPathsOf,
  isTried,
  isUnlinked,
  type KnownPath,
  noteWays,
  type PairState,
} from './pair-state.ts';
import { missesOf, pathsOf, reachedEnds } from './results.ts';

/** A measurement that did not come to an end, or found no way, is made again after this long. */
const RETRY_MS = 60_000;
/** A path that worked and did not this time is looked at again this soon: one lost packet must not end a hop. */
const SECOND_LOOK_MS = 1_000;

export class Pairs {
  readonly #states = new Map<string, PairState>();
  #connected = new Map<string, LinkNode>();

  /** The nodes that are connected now, with what they tell of themselves. */
  update(nodes: readonly LinkNode[], now: number): void {
    this.#connected = new Map(nodes.map((node) => [node.id, node]));
    const sorted = [...nodes].sort((x, y) => (x.id < y.id ? -1 : 1));
    for (const [i, a] of sorted.entries()) {
      for (const b of sorted.slice(i + 1)) this.#updatePair(a, b, now);
    }
  }

  /** The pairs that are to be measured now: never measured ones first, then who waits longest. */
  due(now: number): PairState[] {
    const due = this.#here().filter((pair) => pair.dueAt <= now && pair.candidates.length > 0);
    return due.sort(
      (x, y) => Number(isTried(x)) - Number(isTried(y)) || x.dueAt - y.dueAt || (x.key < y.key ? -1 : 1),
    );
  }

  /** Whether two machines are yet to be measured for the first time, or have not told of themselves. */
  get isPending(): boolean {
    return this.#here().some(
      (pair) =>
        !pair.isSameMachine &&
        (!isTried(pair) || pair.wayless === 1) &&
        (pair.candidates.length > 0 || pair.a.machine === null || pair.b.machine === null),
    );
  }

  /** What is to be tried between a pair; what worked before comes first, so that hops keep their paths. */
  targets(pair: PairState): Candidate[] {
    const known = new Set(pair.paths.map(ends));
    const isKnown = (candidate: Candidate) => Number(known.has(addressKey(candidate)));
    return pair.candidates.toSorted((x, y) => isKnown(y) - isKnown(x));
  }

  /** A measurement of it begins; what changes from now on is worth another one. */
  begin(key: string): void {
    const pair = this.#states.get(key);
    if (pair) pair.dueAt = Number.POSITIVE_INFINITY;
  }

  /** The measurement was given up. */
  giveUp(key: string, now: number): void {
    const pair = this.#states.get(key);
    if (pair) pair.dueAt = now;
  }

  measureAll(now: number): void {
    for (const pair of this.#states.values()) pair.dueAt = now;
  }

  /** Nobody answered. */
  fail(key: string, reason: string, now: number): void {
    const pair = this.#states.get(key);
    if (pair) Object.assign(pair, { failure: reason, dueAt: Math.min(pair.dueAt, now + RETRY_MS) });
  }

  /** @param at milliseconds since 1970 */
  take(key: string, result: Measured, now: number, at: number): void {
    const pair = this.#states.get(key);
    if (!pair) return;
    const measured = pathsOf(pair, result, at);
    const isIn = (paths: readonly KnownPath[], one: KnownPath, by: (path: KnownPath) => string) =>
      paths.some((path) => by(path) === by(one));
    const reached = reachedEnds(result);
    const rest = pair.paths
      .filter((path) => !isIn(measured, path, ends))
      // a hop may use a path whose interfaces were measured by other addresses this time
      .map((path) => ({ ...path, misses: reached.has(ends(path)) ? 0 : path.misses + 1 }));
    const kept = rest.filter(({ misses }) => misses < 2);
    for (const path of rest) {
      if (path.misses >= 2 && !isIn(measured, path, ({ group }) => group))
        lose(pair, path, 'it is not reached any more');
    }
    pair.paths = [...measured, ...kept].sort((x, y) => speed(x) - speed(y));
    pair.gone = pair.gone.filter(({ group }) => !measured.some((path) => path.group === group));
    pair.misses = missesOf(pair, result);
    pair.notOffered = result.notOffered;
    pair.measuredAt = at;
    pair.failure = undefined;
    noteWays(pair, false);
    pair.dueAt = Math.min(pair.dueAt, now + restMs(pair));
  }

  /** Pairs of nodes that are connected. */
  get all(): readonly PairState[] {
    return this.#here();
  }

  /** Each way that a hop can take, measured. */
  hopPaths(): HopPath[] {
    return this.#here().flatMap(hopPathsOf);
  }

  /** The ids of two nodes each that do not reach one another: no hop can go between them. */
  unlinked(): [string, string][] {
    return this.#here()
      .filter(isUnlinked)
      .map(({ a, b }) => [a.id, b.id]);
  }

  #here(): PairState[] {
    return [...this.#states.values()].filter(
      ({ a, b }) => this.#connected.has(a.id) && this.#connected.has(b.id),
    );
  }

  #updatePair(a: LinkNode, b: LinkNode, now: number): void {
    const key = `${a.id} ${b.id}`;
    const pair = this.#states.get(key);
    if (pair?.a === a && pair.b === b) return; // nothing new of either
    const found = candidates(a, b);
    if (!pair) {
      this.#states.set(key, {
        key,
        a,
        b,
        isSameMachine: isSameMachine(a, b),
        candidates: found,
        paths: [],
        misses: [],
        gone: [],
        notOffered: { a: [], b: [] },
        dueAt: now,
        measuredAt: undefined,
        failure: undefined,
        wayless: 0,
      });
      return;
    }
    const before = new Set(pair.candidates.map(addressKey));
    const kept = found.filter((candidate) => before.has(addressKey(candidate)));
    // what went away needs no measurement, what came or was set anew does
    const hasChanged = kept.length < found.length || linkState(pair, kept) !== linkState({ a, b }, kept);
    Object.assign(pair, { a, b, candidates: found, isSameMachine: isSameMachine(a, b) });
    const after = new Set(found.map(addressKey));
    for (const path of pair.paths.filter((known) => !after.has(ends(known)))) {
      const side = stillHas(a, path.from.address) ? b : a;
      const end = side === a ? path.from : path.to;
      lose(pair, path, `${end.interface} of ${side.name} has no link, or another address`);
    }
    if (isTried(pair) && pair.gone.length > 0 && !hasWay(pair)) noteWays(pair, true);
    if (hasChanged) pair.dueAt = Math.min(pair.dueAt, now);
  }
}

/** When a pair is looked at again after a measurement of it. */
function restMs(pair: PairState): number {
  if (pair.wayless === 1 || pair.paths.some(({ misses }) => misses > 0)) return SECOND_LOOK_MS;
  return isUnlinked(pair) ? RETRY_MS : LINKS_FRESH_MS;
}

function lose(pair: PairState, path: KnownPath, why: string): void {
  pair.paths = pair.paths.filter((known) => known !== path);
  const { group, misses: _, ...rest } = path;
  pair.gone = [...pair.gone.filter((known) => known.group !== group), { path: rest, group, why }];
}

/** What the links of a pair were set to, and what is at a cable's other end: a change is worth a measurement. */
function linkState(pair: Pick<PairState, 'a' | 'b'>, used: readonly Candidate[]): string {
  const states = (['a', 'b'] as const).map((side) => {
    const { machine } = pair[side];
    const names = new Set(used.map((candidate) => candidate[side].interface));
    const ports = (machine?.thunderboltPorts ?? [])
      .filter((port) => port.interface !== null && names.has(port.interface))
      .map(({ linkGbps, peers }) => [linkGbps, peers.map(({ domainUuid }) => domainUuid)]);
    // what Wi-Fi was set to changes by the minute
    const speeds = (machine?.interfaces ?? [])
      .filter(({ name, kind }) => names.has(name) && kind !== 'wifi')
      .map(({ name, linkGbps }) => [name, linkGbps]);
    return [ports, speeds];
  });
  return JSON.stringify(states);
}

function stillHas({ machine }: LinkNode, text: string): boolean {
  const [plain] = text.split('%');
  return (machine?.interfaces ?? []).some(
    ({ up, active, addresses }) =>
      up && active !== false && addresses.some((entry) => entry.address === plain),
  );
}

function speed({ there, back }: KnownPath): number {
  return Math.min(
    there ? hopUs(there) : Number.POSITIVE_INFINITY,
    back ? hopUs(back) : Number.POSITIVE_INFINITY,
  );
}
