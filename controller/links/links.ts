// The links of the cluster: keeps what is known of each pair of nodes, measures them while nobody needs the cluster, and tells when something has changed. What a plan makes of it is decided elsewhere.
import type { Logger } from 'pino';
import type { MachineFacts } from '../../protocol/facts.ts';
import { MAX_FINDINGS, MAX_PROBES } from '../../protocol/limits.ts';
import type { LinkFinding, LinksReport } from '../../protocol/links.ts';
import type { ProbeCommand, ProbeEvent } from '../../protocol/probe.ts';
import type { NodePair } from '../planner/inputs.ts';
import { type LinkNode, sameNetwork } from './candidates.ts';
import { findings } from './findings.ts';
import type { HopPath } from './hop-path.ts';
import { Measurement, MeasurementAborted } from './measurement.ts';
import { type PairState, publicPair } from './pair-state.ts';
import { Pairs } from './pairs.ts';

/** After a request, the next one often comes soon. */
const QUIET_MS = 500;
/** Loopback needs no plan: it can wait until nothing else happens on this machine. */
const QUIET_SAME_MACHINE_MS = 3_000;

export interface LinksListener {
  /**
   * The ways that hops can take are others, or a first measurement of all has ended.
   * @param unlinked ids of two nodes each that do not reach one another
   */
  onChange(paths: readonly HopPath[], isPending: boolean, unlinked: readonly NodePair[]): void;
  /** something that was not so before */
  onFinding(finding: LinkFinding): void;
}

export class Links {
  readonly #nodes = new Map<string, LinkNode>();
  /** also of nodes that are not connected: one that comes back is the same */
  readonly #machines = new Map<string, MachineFacts>();
  readonly #pairs = new Pairs();
  readonly #send: (nodeId: string, command: ProbeCommand) => void;
  readonly #listener: LinksListener;
  readonly #log: Logger;
  /** by the pair's key */
  readonly #running = new Map<string, { pair: PairState; measurement: Measurement }>();
  #turn: Promise<unknown> = Promise.resolve();
  /** the pair whose figures are taken */
  #measuring: PairState | undefined;
  #quietSince: number | undefined = Number.NEGATIVE_INFINITY;
  #blocked = '';
  #hops: readonly HopPath[] = [];
  #findings: readonly LinkFinding[] = [];
  #told = '';

  constructor(send: (nodeId: string, command: ProbeCommand) => void, listener: LinksListener, log: Logger) {
    this.#send = send;
    this.#listener = listener;
    this.#log = log;
  }

  /** A node is connected. */
  addNode(node: Omit<LinkNode, 'machine'>): void {
    this.#nodes.set(node.id, { ...node, machine: this.#machines.get(node.id) ?? null });
    this.#update();
  }

  /** What a connected node tells of its machine. */
  setMachine(nodeId: string, machine: MachineFacts): void {
    const node = this.#nodes.get(nodeId);
    if (!node) return;
    this.#machines.set(nodeId, machine);
    // most news is of load and heat
    if (node.machine && sameNetwork(node.machine, machine)) return;
    this.#nodes.set(nodeId, { ...node, machine });
    this.#update();
  }

  removeNode(nodeId: string): void {
    this.#nodes.delete(nodeId);
    for (const { pair, measurement } of this.#running.values()) {
      if (pair.a.id === nodeId || pair.b.id === nodeId) measurement.abort();
    }
    this.#update();
  }

  /**
   * Whether links may be measured now. What runs is given up at once when not.
   * @param blocked why not, in a sentence; undefined when they may
   */
  setBlocked(blocked: string | undefined): void {
    if (blocked !== undefined) {
      this.#blocked = blocked;
      this.#quietSince = undefined;
      for (const { measurement } of this.#running.values()) measurement.abort();
    } else {
      this.#quietSince ??= performance.now();
    }
  }

  /** Whether nodes that have come are being measured, or would be now. */
  get isMeasuringFirst(): boolean {
    return this.#quietSince !== undefined && this.#pairs.isPending;
  }

  /** The ways that the present deployment's hops take. */
  setHops(hops: readonly HopPath[]): void {
    const isSame = hops.length === this.#hops.length && hops.every((hop, i) => hop === this.#hops[i]);
    if (isSame) return;
    this.#hops = hops;
    this.#lookForFindings();
  }

  /** Called again and again. */
  tick(): void {
    if (this.#quietSince === undefined) return;
    const now = performance.now();
    for (const pair of this.#pairs.due(now)) {
      if (this.#running.size >= MAX_PROBES) return;
      const quietMs = pair.isSameMachine ? QUIET_SAME_MACHINE_MS : QUIET_MS;
      if (!this.#running.has(pair.key) && now - this.#quietSince >= quietMs) void this.#measure(pair);
    }
  }

  receive(nodeId: string, event: ProbeEvent): void {
    for (const { measurement } of this.#running.values()) measurement.receive(nodeId, event);
  }

  /** Everything is measured once more, as soon as nobody is disturbed. */
  measureAgain(): void {
    this.#pairs.measureAll(performance.now());
  }

  stop(): void {
    this.setBlocked('the controller is stopping');
  }

  get findings(): readonly LinkFinding[] {
    return this.#findings;
  }

  report(): LinksReport {
    const pair = this.#measuring;
    const due = this.#pairs.due(performance.now()).map(({ key }) => key);
    const here = this.#pairs.all.map(({ key }) => key);
    const running = here.filter((key) => this.#running.has(key));
    return {
      at: Date.now(),
      measuring: pair ? [pair.a.name, pair.b.name] : null,
      waiting: new Set([...due, ...running]).size,
      blocked: this.#quietSince === undefined ? this.#blocked : null,
      pairs: this.#pairs.all.map(publicPair),
      findings: [...this.#findings],
    };
  }

  async #measure(pair: PairState): Promise<void> {
    const measurement = new Measurement(pair, this.#pairs.targets(pair), this.#send, (task) =>
      this.#inTurn(pair, task),
    );
    this.#running.set(pair.key, { pair, measurement });
    this.#pairs.begin(pair.key);
    const names = `${pair.a.name} and ${pair.b.name}`;
    try {
      const measured = await measurement.run();
      this.#pairs.take(pair.key, measured, performance.now(), Date.now());
      this.#log.info({ paths: pair.paths.length }, `the links between ${names} were measured`);
    } catch (error) {
      if (error instanceof MeasurementAborted) {
        this.#pairs.giveUp(pair.key, performance.now());
      } else {
        const reason = error instanceof Error ? error.message : String(error);
        this.#pairs.fail(pair.key, reason, performance.now());
        this.#log.warn({ reason }, `the links between ${names} could not be measured`);
      }
    }
    this.#running.delete(pair.key);
    this.#tellChange();
    this.tick();
  }

  /** Figures of one pair at a time: they would disturb one another. */
  #inTurn<T>(pair: PairState, task: () => Promise<T>): Promise<T> {
    const mine = this.#turn.then(() => {
      this.#measuring = pair;
      return task();
    });
    this.#turn = mine
      .catch(() => undefined)
      .finally(() => {
        this.#measuring = undefined;
      });
    return mine;
  }

  #update(): void {
    this.#pairs.update([...this.#nodes.values()], performance.now());
    this.#tellChange();
  }

  #tellChange(): void {
    this.#lookForFindings();
    const paths = this.#pairs.hopPaths();
    const { isPending } = this.#pairs;
    const unlinked = this.#pairs.unlinked();
    const now = JSON.stringify([paths, isPending, unlinked]);
    if (now === this.#told) return;
    this.#told = now;
    this.#listener.onChange(paths, isPending, unlinked);
  }

  #lookForFindings(): void {
    const { all: pairs } = this.#pairs;
    const found = findings({ nodes: [...this.#nodes.values()], pairs, hops: this.#hops });
    const before = new Set(this.#findings.map(({ id }) => id));
    this.#findings = found.slice(0, MAX_FINDINGS);
    for (const finding of this.#findings) if (!before.has(finding.id)) this.#listener.onFinding(finding);
  }
}
