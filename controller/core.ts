// The cluster's heart with its inlets and outlets: what nodes, links and clients say goes in, and what the heart decides is
// carried out. It must not know HTTP, and decides nothing itself.
import { hostname } from 'node:os';
import type { Logger } from 'pino';
import { ERRORS, EspalierError } from '../protocol/errors.ts';
import type { ClusterHistory } from '../protocol/history.ts';
import type { Identity } from '../protocol/identity.ts';
import { formatHostPort } from '../protocol/node.ts';
import type { ModelCard, Plan } from '../protocol/plan.ts';
import type { PlanReport } from '../protocol/plan-report.ts';
import type { ClusterStatus } from '../protocol/status.ts';
import type { ChromeTrace, RankTimes } from '../protocol/trace.ts';
import {
  type Cluster,
  type ClusterInput,
  clusterReason,
  type Deployment,
  isFetching,
  isRecovering,
  isServing,
  type SavedDeployment,
} from './cluster/state.ts';
import { type ClusterNodes, clusterNodes } from './cluster-nodes.ts';
import { ClusterPlans } from './cluster-plans.ts';
import type { ControllerOptions } from './config.ts';
import { Deployer, type ModelPlace } from './deploy.ts';
import { discover } from './discovery.ts';
import { Doctor } from './doctor.ts';
import { Effects } from './effects.ts';
import { GuessCounts } from './guess-counts.ts';
import { Heart } from './heart.ts';
import { History } from './history.ts';
import type { Incidents } from './incidents.ts';
import { LinkQuiet } from './link-quiet.ts';
import { Links } from './links/links.ts';
import type { MeasurementStore } from './measurement-store.ts';
import { StoreAsks } from './models/store-asks.ts';
import { Nodes } from './nodes.ts';
import { Notices } from './notices.ts';
import { Operations } from './operations.ts';
import type { Measurements } from './planner/measurements.ts';
import { PredictedRatesOf } from './predicted-rates.ts';
import { Requests } from './requests.ts';
import type { DeploymentStore } from './saved-deployment.ts';
import { StageEvents } from './stage-events.ts';
import { clusterStatus } from './status.ts';
import { TraceCollector } from './trace/collector.ts';
import { makeTrace } from './trace/trace.ts';
import type { JoinTokens } from './trust/join-tokens.ts';
import type { NodePins } from './trust/node-pins.ts';
import { Pairing } from './trust/pairing.ts';

/** Deadlines are looked at this often. */
const TICK_MS = 250;

export interface CoreOptions extends ControllerOptions {
  store: MeasurementStore;
  /** what earlier controllers have learnt; grows */
  measurements: Measurements;
  incidents: Incidents;
  deployments: DeploymentStore;
  /** what an earlier controller had deployed */
  previous: SavedDeployment | undefined;
  /** the nodes that are paired */
  nodePins: NodePins;
  tokens: JoinTokens;
}

/** The cluster's heart with its inlets and outlets. */
export class Core {
  readonly requests: Requests;
  readonly links: Links;
  readonly pairing: Pairing;
  /** the nodes as the model store needs them */
  readonly storeNodes: ClusterNodes;
  readonly plans: ClusterPlans;
  readonly operations: Operations;
  readonly doctor: Doctor;
  readonly #heart: Heart;
  readonly #cluster: Cluster;
  readonly #nodes: Nodes;
  readonly #deployer: Deployer;
  readonly #linkQuiet: LinkQuiet;
  readonly #traces: TraceCollector;
  readonly #stages: StageEvents;
  readonly #effects: Effects;
  readonly #notices: Notices;
  readonly #history = new History(performance.now());
  readonly #predicted = new PredictedRatesOf();
  readonly #guesses = new GuessCounts();
  readonly #options: CoreOptions;
  readonly #log: Logger;
  #discovery: { stop(): void } | undefined;
  #ticker: NodeJS.Timeout | undefined;
  #isStopping = false;

  constructor(identity: Identity, card: ModelCard, model: ModelPlace, options: CoreOptions, log: Logger) {
    this.#options = options;
    this.#log = log;
    this.#notices = new Notices(log);
    this.#heart = new Heart(
      {
        card,
        modelFingerprint: model.fingerprint,
        wantedNodes: options.nodeCount,
        planning: options.planning,
        measurements: options.measurements,
        previous: options.previous,
        incidents: options.incidents.lastNumber,
      },
      (effect) => this.#effects.carryOut(effect),
      () => this.#linkQuiet.update(),
    );
    this.#cluster = this.#heart.cluster;
    const take = (input: ClusterInput) => this.#heart.take(input);
    const { nodePins, tokens } = options;
    this.pairing = new Pairing(identity, hostname(), nodePins, tokens, {
      onWaiting: ({ name, showsCode, address }) => {
        const fix = showsCode
          ? `\`espalier pair ${name}\`, with the code that it shows.`
          : 'Its join token is none of this controller: start its agent with one that is, or without.';
        this.#notices.noteOfStranger(`${name} (${address}) waits to be paired`, { level: 'info', fix });
      },
      onKeyChanged: (message) =>
        this.#notices.noteOfStranger(message, { level: 'error', fix: ERRORS.key_changed.solve }),
      onPaired: ({ name }) => {
        this.#notices.note('info', `${name} is paired`);
        this.#nodes.hurry();
      },
    });
    this.#nodes = new Nodes(
      identity,
      this.pairing,
      options.cluster,
      {
        onConnected: (facts, address, foundBy, held, draft) => {
          // first, so that a plan waits for its links
          const fingerprint = this.#nodes.fingerprintOf(facts.id);
          if (fingerprint !== undefined)
            this.links.addNode({ id: facts.id, name: facts.name, fingerprint, host: address.host });
          this.pairing.noteName(facts.id, facts.name);
          const node = { facts, address, foundBy, connected: true };
          this.#heart.take({ kind: 'node-connected', node, held, ...(draft && { draftEpoch: draft.epoch }) });
          this.#shareFiles();
        },
        onMachine: (nodeId, machine) => {
          this.#heart.take({ kind: 'node-machine', nodeId, machine });
          this.links.setMachine(nodeId, machine);
        },
        onEngine: (nodeId, engine) => this.#heart.take({ kind: 'node-engine', nodeId, engine }),
        onLost: (nodeId, reason, isSilent) => {
          // first, so that it is the reason, and not the links that go with it
          this.#heart.take({ kind: 'node-lost', nodeId, reason, isSilent });
          this.links.removeNode(nodeId);
          this.doctor.checks.forget(nodeId);
          this.storeNodes.asks.nodeLost(nodeId);
          this.#shareFiles();
        },
        onEvent: (nodeId, event) => this.#stages.receive(nodeId, event),
        onCheck: (nodeId, check) => this.doctor.checks.receive(nodeId, check),
        onProbe: (nodeId, event) => this.links.receive(nodeId, event),
        onStore: (nodeId, event) => this.storeNodes.asks.receive(nodeId, event),
        onRefused: (address, message) => this.#notices.noteRefusal(`${formatHostPort(address)}: ${message}`),
      },
      log,
    );
    const asks = new StoreAsks((nodeId, command) => this.#nodes.send(nodeId, command));
    this.links = new Links(
      (nodeId, command) => this.#nodes.send(nodeId, command),
      {
        onChange: (paths, isPending, unlinked) =>
          this.#heart.take({ kind: 'links', paths, isPending, unlinked }),
        onFinding: ({ severity, text, fix }) => this.#notices.note(severity, text, fix),
      },
      log,
    );
    this.#linkQuiet = new LinkQuiet(this.#cluster, this.links);
    this.storeNodes = clusterNodes(this.#cluster, this.#nodes, asks, (task, signal) =>
      this.#linkQuiet.whileFetching(task, signal),
    );
    this.#deployer = new Deployer(this.#nodes, card, model);
    this.#traces = new TraceCollector((epoch, nodeId) => this.#nodes.send(nodeId, { kind: 'trace', epoch }));
    const { maxSessions } = this.#deployer;
    this.requests = new Requests(
      {
        maxSessions,
        readiness: () => {
          const isFetchOn = isFetching(this.#cluster, performance.now());
          if (!this.#isStopping && !isFetchOn && isRecovering(this.#cluster)) return 'recovering';
          this.#assertServing();
          return 'serving';
        },
        generate: (request) => this.#deployer.generate(request),
        cancel: (requestId) => this.#deployer.cancel(requestId),
      },
      (count) => take({ kind: 'requests', count }),
    );
    const [cluster, pairing, nodes] = [this.#cluster, this.pairing, this.#nodes];
    this.#stages = new StageEvents({
      ...{ cluster, take, requests: this.requests, traces: this.#traces },
      ...{ history: this.#history, guesses: this.#guesses, store: options.store },
    });
    const { incidents, deployments } = options;
    this.#effects = new Effects({
      ...{ cluster, take, requests: this.requests, nodes, deployer: this.#deployer },
      ...{ incidents, deployments, notices: this.#notices },
    });
    this.plans = new ClusterPlans(cluster);
    this.doctor = new Doctor(cluster, pairing, this.links, (id) => this.#nodes.send(id, { kind: 'check' }));
    const note = (text: string) => this.#notices.note('info', text);
    this.operations = new Operations({ cluster, take, requests: this.requests, pairing, nodes, note });
  }

  start(): void {
    const { bonjourInterface, agents, cluster } = this.#options;
    this.#discovery = discover(
      { cluster, bonjourInterface, addresses: agents },
      {
        onCandidate: (candidate) => this.#nodes.consider(candidate),
        onFinding: (text, fix) => this.#notices.noteOfStranger(text, { level: 'warn', fix }),
      },
      this.#log,
    );
    this.#ticker = setInterval(() => {
      this.requests.checkDeadlines(clusterReason(this.#cluster));
      this.#history.count(this.requests.tokensTotal, performance.now());
      this.#heart.take({ kind: 'tick' });
      this.links.tick();
    }, TICK_MS);
  }

  /** From now on nothing new begins. */
  beginStop(): void {
    this.#isStopping = true;
    this.#heart.stop();
    this.requests.failAll(new EspalierError('not_ready', 'the controller is stopping'));
    this.#discovery?.stop();
    this.#linkQuiet.stop();
    this.#notices.close();
    clearInterval(this.#ticker);
  }

  async stop(): Promise<void> {
    const { store, incidents, deployments } = this.#options;
    await Promise.all([store.save(this.#cluster.measurements), incidents.close(), deployments.close()]);
    // the agents keep their stages for a while: a controller that is started again goes on with them
    this.#nodes.stop();
    await Promise.all([this.#heart.close(), this.plans.close()]);
  }

  /** of the longest conversation that the plan in force has room for */
  get contextTokens(): number {
    const { card, deployment } = this.#cluster;
    return Math.min(card.contextTokens, deployment?.plan.kvTokens ?? card.contextTokens);
  }

  status(): ClusterStatus {
    return clusterStatus(
      {
        cluster: this.#cluster,
        requests: this.requests,
        events: this.#notices.events,
        linkFindings: this.links.findings,
        waiting: this.pairing.report().waiting,
        incidents: this.#options.incidents.report.incidents,
        predicted: this.#predicted,
        guesses: this.#guesses,
      },
      this.#isStopping,
    );
  }

  /** The last ten minutes, so that whoever looks late sees what was. */
  history(): ClusterHistory {
    return this.#history.told(performance.now(), Date.now());
  }

  /** The plan in force with its reasons. @throws EspalierError not_ready while there is none */
  plan(): Promise<PlanReport> {
    return this.plans.report(this.#guesses.yieldShare);
  }

  /**
   * The last steps of all stages.
   * @throws EspalierError not_ready while there are no stages that work
   */
  async trace(count: number): Promise<ChromeTrace> {
    const { epoch, plan } = this.#assertServing();
    const { card, nodes } = this.#cluster;
    const told = await this.#traces.collect(
      epoch,
      plan.stages.map(({ nodeId }) => nodeId),
    );
    const stages = plan.stages.map(({ index, nodeId, range }) => {
      return { index, nodeId, node: nodes.get(nodeId)?.facts.name ?? nodeId, range, steps: told.get(nodeId) };
    });
    const { engine, split = 'pipeline' } = plan;
    const ranks = engine === 'mlx-distributed' ? { split, times: this.#rankTimes() } : undefined;
    const { draft } = this.status();
    const known = {
      ...(ranks && { ranks }),
      ...(draft && { draft: { place: draft.place, node: draft.node } }),
    };
    return makeTrace({ engine, model: card.id, epoch, ...known }, stages, count);
  }

  #rankTimes(): RankTimes[] {
    const stages = this.#cluster.deployment?.stages ?? [];
    return stages.flatMap(({ stepTimeMs: computeMs, stepWaitMs: waitMs }, index) =>
      computeMs === undefined || waitMs === undefined ? [] : [{ index, computeMs, waitMs }],
    );
  }

  /**
   * Another model takes the place of the present one, whose requests end.
   * @param plan that its files were fetched for
   * @param guessYield the share of guesses that is taken to be right for it
   */
  deployModel(card: ModelCard, model: ModelPlace, plan: Plan, guessYield: number): void {
    const { deployments, planning, nodeCount: wantedNodes } = this.#options;
    this.#deployer.use(card, model);
    const { fingerprint: modelFingerprint } = model;
    deployments.use({ modelFingerprint, planning, wantedNodes, draftBytes: card.draft?.bytes });
    this.#guesses.modelChanged();
    this.#heart.take({ kind: 'model', card, modelFingerprint, plan, guessYield });
  }

  note(level: 'info' | 'warn' | 'error', text: string, fix?: string): void {
    this.#notices.note(level, text, fix);
  }

  /** The nodes of one cluster may read each other's model files. */
  #shareFiles(): void {
    const connected = this.storeNodes.connected().map(({ id }) => id);
    const readers = connected.flatMap((id) => this.#nodes.fingerprintOf(id) ?? []);
    for (const id of connected) this.#nodes.send(id, { kind: 'store-share', readers });
  }

  #assertServing(): Deployment {
    const { deployment } = this.#cluster;
    if (this.#isStopping || !deployment || !isServing(deployment)) {
      throw new EspalierError(
        'not_ready',
        `the cluster does not serve: ${clusterReason(this.#cluster) ?? 'it is stopping'}`,
      );
    }
    return deployment;
  }
}
