// One measurement of one pair of nodes: both listen, both try all address pairs, then, when it is this pair's turn, each
// measures one address pair of each two interfaces. Every answer has a deadline. It knows only how to tell an agent something.
import { randomBytes } from 'node:crypto';
import type { Fingerprint } from '../../protocol/identity.ts';
import {
  MAX_PROBED_PATHS,
  PROBE_CONNECT_TIMEOUT_MS,
  PROBE_MEASURE_TIMEOUT_MS,
  PROBE_WORD_TIMEOUT_MS,
} from '../../protocol/limits.ts';
import type {
  ProbeCommand,
  ProbeEvent,
  ProbeFigures,
  ProbePort,
  ProbeTarget,
  ProbeTry,
} from '../../protocol/probe.ts';
import { addressesOf, type Candidate, dialled } from './candidates.ts';

type Side = 'a' | 'b';
type Answer<K extends ProbeEvent['kind']> = Extract<ProbeEvent, { kind: K }>;

/** A candidate with how both directions went. */
export interface TriedPath {
  candidate: Candidate;
  /** a dials b, b dials a; null when it was not tried because nobody listened */
  tries: Record<Side, ProbeTry | null>;
  figures: Record<Side, ProbeFigures | null>;
}

export interface Measured {
  tried: TriedPath[];
  /** addresses where the agent may not listen, because of its --host */
  notOffered: Record<Side, string[]>;
}

/** One of the two nodes that are measured. */
export interface MeasuredNode {
  id: string;
  name: string;
  fingerprint: Fingerprint;
}

/** Runs a task when all that came before it have ended. */
export type Turn = <T>(task: () => Promise<T>) => Promise<T>;

/** Nobody's fault: the measurement was given up. */
export class MeasurementAborted extends Error {}

export class Measurement {
  readonly #nodes: Record<Side, MeasuredNode>;
  readonly #candidates: readonly Candidate[];
  readonly #send: (nodeId: string, command: ProbeCommand) => void;
  readonly #inTurn: Turn;
  readonly #probeId = randomBytes(12).toString('hex');
  readonly #token = randomBytes(32).toString('base64url');
  readonly #aborted = Promise.withResolvers<never>();
  readonly #answers = new Map<string, (event: ProbeEvent) => void>();

  constructor(
    nodes: Record<Side, MeasuredNode>,
    pairs: readonly Candidate[],
    send: (nodeId: string, command: ProbeCommand) => void,
    inTurn: Turn,
  ) {
    this.#nodes = nodes;
    this.#candidates = pairs;
    this.#send = send;
    this.#inTurn = inTurn;
    this.#aborted.promise.catch(() => undefined);
  }

  /** @throws MeasurementAborted; Error with the reason when an agent does not answer in time */
  async run(): Promise<Measured> {
    try {
      return await this.#run();
    } finally {
      this.#tellBoth('probe-stop');
    }
  }

  /** The agents close what they opened. */
  abort(): void {
    this.#aborted.reject(new MeasurementAborted());
  }

  /** A word of an agent; what nobody asked for is dropped. */
  receive(nodeId: string, event: ProbeEvent): void {
    if (event.probeId === this.#probeId) this.#answers.get(`${nodeId} ${event.kind}`)?.(event);
  }

  async #run(): Promise<Measured> {
    const [listenA, listenB] = await Promise.all([this.#listen('a'), this.#listen('b')]);
    const ports = { a: portsByAddress(listenA), b: portsByAddress(listenB) };
    const [reachA, reachB] = await Promise.all([this.#reach('a', ports.b), this.#reach('b', ports.a)]);
    const tried = this.#candidates.map((candidate): TriedPath => {
      const tries = { a: find(reachA, candidate, 'a'), b: find(reachB, candidate, 'b') };
      return { candidate, tries, figures: { a: null, b: null } };
    });
    const chosen = onePerGroup(tried);
    await this.#inTurn(async () => {
      // one direction after the other: they would share one cable and two processors
      for (const side of ['a', 'b'] as const) await this.#measure(side, chosen, ports[other(side)]);
    });
    return { tried, notOffered: { a: notOffered(listenA), b: notOffered(listenB) } };
  }

  async #measure(
    side: Side,
    chosen: readonly TriedPath[],
    ports: ReadonlyMap<string, number>,
  ): Promise<void> {
    const reached = chosen.filter(({ tries }) => tries[side]?.outcome === 'reached');
    const targets = this.#targets(reached, side, ports);
    if (targets.length === 0) return;
    const command: ProbeCommand = { kind: 'probe-measure', ...this.#words(side), targets };
    const { paths } = await this.#ask(side, command, 'probe-measured', PROBE_MEASURE_TIMEOUT_MS);
    for (const path of reached) path.figures[side] = find(paths, path.candidate, side)?.figures ?? null;
  }

  async #listen(side: Side): Promise<ProbePort[]> {
    const addresses = addressesOf(this.#candidates, side);
    const { ports } = await this.#ask(
      side,
      { kind: 'probe-listen', ...this.#words(side), addresses },
      'probe-listening',
      PROBE_WORD_TIMEOUT_MS,
    );
    return ports;
  }

  async #reach(side: Side, ports: ReadonlyMap<string, number>): Promise<ProbeTry[]> {
    const targets = this.#targets(
      this.#candidates.map((candidate) => ({ candidate })),
      side,
      ports,
    );
    if (targets.length === 0) return [];
    const { tries } = await this.#ask(
      side,
      { kind: 'probe-reach', ...this.#words(side), targets },
      'probe-reached',
      PROBE_CONNECT_TIMEOUT_MS + PROBE_WORD_TIMEOUT_MS,
    );
    return tries;
  }

  #targets(
    paths: readonly { candidate: Candidate }[],
    side: Side,
    ports: ReadonlyMap<string, number>,
  ): ProbeTarget[] {
    return paths.flatMap(({ candidate }) => {
      const [from, to] = [candidate[side], candidate[other(side)]];
      const port = ports.get(to.address);
      return port === undefined ? [] : [{ from: from.address, to: dialled(from, to), port }];
    });
  }

  #words(side: Side): { probeId: string; token: string; peer: Fingerprint } {
    const { fingerprint: peer } = this.#nodes[other(side)];
    return { probeId: this.#probeId, token: this.#token, peer };
  }

  /** Tells one side something and waits for its answer. */
  async #ask<K extends ProbeEvent['kind']>(
    side: Side,
    command: ProbeCommand,
    kind: K,
    timeoutMs: number,
  ): Promise<Answer<K>> {
    const { id: nodeId, name } = this.#nodes[side];
    const key = `${nodeId} ${kind}`;
    const answer = Promise.withResolvers<Answer<K>>();
    this.#answers.set(key, (event) => {
      if (event.kind === kind) answer.resolve(event as Answer<K>);
    });
    const seconds = timeoutMs / 1000;
    const timer = setTimeout(
      () => answer.reject(new Error(`${name} did not answer ${command.kind} within ${seconds} s`)),
      timeoutMs,
    );
    this.#send(nodeId, command);
    try {
      return await Promise.race([answer.promise, this.#aborted.promise]);
    } finally {
      clearTimeout(timer);
      this.#answers.delete(key);
    }
  }

  #tellBoth(kind: 'probe-stop'): void {
    for (const side of ['a', 'b'] as const)
      this.#send(this.#nodes[side].id, { kind, probeId: this.#probeId });
  }
}

function other(side: Side): Side {
  return side === 'a' ? 'b' : 'a';
}

function portsByAddress(ports: readonly ProbePort[]): ReadonlyMap<string, number> {
  return new Map(ports.flatMap(({ address, port }) => (port === null ? [] : [[address, port] as const])));
}

function notOffered(ports: readonly ProbePort[]): string[] {
  return ports.filter(({ why }) => why === 'not-offered').map(({ address }) => address);
}

function find<T extends { from: string; to: string }>(
  results: readonly T[],
  candidate: Candidate,
  side: Side,
): T | null {
  const [from, to] = [candidate[side], candidate[other(side)]];
  return results.find((one) => one.from === from.address && one.to === dialled(from, to)) ?? null;
}

/** Of each two interfaces the best address pair: one that works both ways, or else one that works at all. */
function onePerGroup(tried: readonly TriedPath[]): TriedPath[] {
  const groups = new Map<string, TriedPath>();
  const ways = ({ tries }: TriedPath) =>
    Number(tries.a?.outcome === 'reached') + Number(tries.b?.outcome === 'reached');
  for (const path of tried) {
    const known = groups.get(path.candidate.group);
    if (ways(path) > (known ? ways(known) : 0)) groups.set(path.candidate.group, path);
  }
  return [...groups.values()].slice(0, MAX_PROBED_PATHS);
}
