// The cluster's heart with its inlets and outlets: what nodes, links and clients say goes in, and what the heart decides is
// carried out. It must not know HTTP, and decides nothing itself.
import { hostname } from 'node:os';
import type { Logger } from 'pino';
import type { DoctorReport } from '../protocol/doctor.ts';
import { asEspalierError, ERRORS, EspalierError } from '../protocol/errors.ts';
import type { ClusterHistory } from '../protocol/history.ts';
import type { Identity } from '../protocol/identity.ts';
import { LimitedLog } from '../protocol/limited-log.ts';
import { formatHostPort } from '../protocol/node.ts';
import type { OperationAnswer } from '../protocol/operations.ts';
import type { PairedAnswer } from '../protocol/pairing.ts';
import { headStage, type ModelCard, type Plan } from '../protocol/plan.ts';
import type { PlanReport } from '../protocol/plan-report.ts';
import type { StageStats } from '../protocol/stage.ts';
import type { ClusterStatus } from '../protocol/status.ts';
import type { ChromeTrace } from '../protocol/trace.ts';
import { checkCluster } from './checks/cluster-check.ts';
import { CheckCollector } from './checks/collector.ts';
import { advance } from './cluster/advance.ts';
import { requestInForce } from './cluster/deploying.ts';
import {
  type Cluster,
  type ClusterInput,
  clusterReason,
  type Deployment,
  type Effect,
  isRecovering,
  isServing,
  newCluster,
  type SavedDeployment,
} from './cluster/state.ts';
import { type ClusterNodes, clusterNodes } from './cluster-nodes.ts';
import type { ControllerOptions } from './config.ts';
import { Deployer, type ModelPlace } from './deploy.ts';
import { discover } from './discovery.ts';
import { GuessCounts } from './guess-counts.ts';
import { History } from './history.ts';
import type { Incidents } from './incidents.ts';
import { LinkQuiet } from './link-quiet.ts';
import { Links } from './links/links.ts';
import type { MeasurementStore } from './measurement-store.ts';
import { NodeFault } from './models/node-fault.ts';
import { StoreAsks } from './models/store-asks.ts';
import { Nodes, type StageEvent } from './nodes.ts';
import { PlanReports } from './plan-reports.ts';
import type { PlanRequest } from './planner/inputs.ts';
import type { Measurements } from './planner/measurements.ts';
import type { PlanAnswer, PlanQuestion } from './planner/solve.ts';
import { PlannerThread } from './planner-thread.ts';
import { planRequest } from './planning.ts';
import { PredictedRatesOf } from './predicted-rates.ts';
import { Requests } from './requests.ts';
import type { DeploymentStore } from './saved-deployment.ts';
import { clusterStatus, EventLog } from './status.ts';
import { TraceCollector } from './trace/collector.ts';
import { makeTrace } from './trace/trace.ts';
import type { JoinTokens } from './trust/join-tokens.ts';
import type { NodePins } from './trust/node-pins.ts';
import { Pairing } from './trust/pairing.ts';

/** Beside the text of what is told to people. */
interface About {
  level: 'info' | 'warn' | 'error';
  fix?: string;
}

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
  readonly #cluster: Cluster;
  readonly #nodes: Nodes;
  readonly #deployer: Deployer;
  readonly #linkQuiet: LinkQuiet;
  readonly #traces: TraceCollector;
  readonly #checks = new CheckCollector((nodeId) => this.#nodes.send(nodeId, { kind: 'check' }));
  readonly #events = new EventLog();
  readonly #history = new History(performance.now());
  readonly #predicted = new PredictedRatesOf();
  readonly #guesses = new GuessCounts();
  readonly #options: CoreOptions;
  readonly #planner = new PlannerThread();
  /** of its own: a new plan does not wait for what would make the old one better */
  readonly #adviser = new PlannerThread();
  readonly #reports = new PlanReports((request, plan) => this.#adviser.advise(request, plan));
  readonly #log: Logger;
  /** what anybody on the network can make this process say */
  readonly #ofStrangers = new LimitedLog<About>((text, about) => {
    const { level, fix } = about ?? { level: 'warn' };
    this.#note(level, text, fix, true);
  });
  #discovery: { stop(): void } | undefined;
  #ticker: NodeJS.Timeout | undefined;
  #alarm: NodeJS.Timeout | undefined;
  /** the incidents that the last interruption had */
  #overcome: readonly number[] = [];
  #isStopping = false;
  #headSteps = 0;

  constructor(identity: Identity, card: ModelCard, model: ModelPlace, options: CoreOptions, log: Logger) {
    this.#options = options;
    this.#log = log;
    this.#cluster = newCluster({
      card,
      modelFingerprint: model.fingerprint,
      wantedNodes: options.nodeCount,
      planning: options.planning,
      measurements: options.measurements,
      previous: options.previous,
      incidents: options.incidents.lastNumber,
      solve: (question) => this.#solve(question),
    });
    const { nodePins, tokens } = options;
    this.pairing = new Pairing(identity, hostname(), nodePins, tokens, {
      onWaiting: ({ name, showsCode, address }) => {
        const fix = showsCode
          ? `\`espalier pair ${name}\`, with the code that it shows.`
          : 'Its join token is none of this controller: start its agent with one that is, or without.';
        this.#ofStrangers.note(`${name} (${address}) waits to be paired`, { level: 'info', fix });
      },
      onKeyChanged: (message) =>
        this.#ofStrangers.note(message, { level: 'error', fix: ERRORS.key_changed.solve }),
      onPaired: ({ name }) => {
        this.#note('info', `${name} is paired`);
        this.#nodes.hurry();
      },
    });
    this.#nodes = new Nodes(
      identity,
      this.pairing,
      options.cluster,
      {
        onConnected: (facts, address, foundBy, held) => {
          // first, so that a plan waits for its links
          const fingerprint = this.#nodes.fingerprintOf(facts.id);
          if (fingerprint !== undefined)
            this.links.addNode({ id: facts.id, name: facts.name, fingerprint, host: address.host });
          this.pairing.noteName(facts.id, facts.name);
          this.#take({ kind: 'node-connected', node: { facts, address, foundBy, connected: true }, held });
          this.#shareFiles();
        },
        onMachine: (nodeId, machine) => {
          this.#take({ kind: 'node-machine', nodeId, machine });
          this.links.setMachine(nodeId, machine);
        },
        onEngine: (nodeId, engine) => this.#take({ kind: 'node-engine', nodeId, engine }),
        onLost: (nodeId, reason, isSilent) => {
          // first, so that it is the reason, and not the links that go with it
          this.#take({ kind: 'node-lost', nodeId, reason, isSilent });
          this.links.removeNode(nodeId);
          this.#checks.forget(nodeId);
          this.storeNodes.asks.nodeLost(nodeId);
          this.#shareFiles();
        },
        onEvent: (nodeId, event) => this.#stageEvent(nodeId, event),
        onCheck: (nodeId, check) => this.#checks.receive(nodeId, check),
        onProbe: (nodeId, event) => this.links.receive(nodeId, event),
        onStore: (nodeId, event) => this.storeNodes.asks.receive(nodeId, event),
        onRefused: (address, message) => this.#noteRefusal(`${formatHostPort(address)}: ${message}`),
      },
      log,
    );
    const asks = new StoreAsks((nodeId, command) => this.#nodes.send(nodeId, command));
    this.links = new Links(
      (nodeId, command) => this.#nodes.send(nodeId, command),
      {
        onChange: (paths, isPending, unlinked) => this.#take({ kind: 'links', paths, isPending, unlinked }),
        onFinding: ({ severity, text, fix }) => this.#note(severity, text, fix),
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
          if (!this.#isStopping && isRecovering(this.#cluster)) return 'recovering';
          this.#assertServing();
          return 'serving';
        },
        generate: (request) => this.#deployer.generate(request),
        cancel: (requestId) => this.#deployer.cancel(requestId),
      },
      (count) => this.#take({ kind: 'requests', count }),
    );
  }

  start(): void {
    const { bonjourInterface, agents, cluster } = this.#options;
    this.#discovery = discover(
      { cluster, bonjourInterface, addresses: agents },
      {
        onCandidate: (candidate) => this.#nodes.consider(candidate),
        onFinding: (text, fix) => this.#ofStrangers.note(text, { level: 'warn', fix }),
      },
      this.#log,
    );
    this.#ticker = setInterval(() => {
      this.requests.checkDeadlines();
      this.#history.count(this.requests.tokensTotal, performance.now());
      this.#take({ kind: 'tick' });
      this.links.tick();
    }, TICK_MS);
  }

  /** From now on nothing new begins. */
  beginStop(): void {
    this.#isStopping = true;
    this.requests.failAll(new EspalierError('not_ready', 'the controller is stopping'));
    this.#discovery?.stop();
    this.#linkQuiet.stop();
    this.#ofStrangers.close();
    clearInterval(this.#ticker);
    clearTimeout(this.#alarm);
  }

  async stop(): Promise<void> {
    const { store, incidents, deployments } = this.#options;
    await Promise.all([store.save(this.#cluster.measurements), incidents.close(), deployments.close()]);
    // the agents keep their stages for a while: a controller that is started again goes on with them
    this.#nodes.stop();
    await Promise.all([this.#planner.close(), this.#adviser.close()]);
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
        events: this.#events,
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

  /**
   * That the others cannot hold the model may take a moment to be known: then it is an event.
   * @throws EspalierError not_found for a node that is not known; not_enough_nodes where that is known at once
   */
  drain(nodeId: string, now: boolean): OperationAnswer {
    const name = this.#knownNode(nodeId);
    this.#take({ kind: 'drain', nodeId, now });
    if (!this.#cluster.drained.has(nodeId)) {
      const why = 'the others cannot hold the model';
      throw new EspalierError('not_enough_nodes', `${name} cannot be drained: ${why}`);
    }
    const when = now ? 'now' : 'when no request has run for a moment';
    return { text: `${name} takes no place in the next plan; a stage that it has moves ${when}` };
  }

  /** @throws EspalierError not_found for a node that is not known */
  undrain(nodeId: string): OperationAnswer {
    const name = this.#knownNode(nodeId);
    this.#take({ kind: 'undrain', nodeId });
    return { text: `${name} may be used again` };
  }

  /** @throws EspalierError not_found for a request that is over or never was */
  cancel(requestId: string): OperationAnswer {
    if (this.requests.cancel(requestId)) return { text: 'the request is cancelled' };
    throw new EspalierError('not_found', `There is no request ${requestId.slice(0, 100)}: it may be over.`);
  }

  /** @returns its name */
  #knownNode(nodeId: string): string {
    const node = this.#cluster.nodes.get(nodeId);
    if (node) return node.facts.name;
    throw new EspalierError('not_found', `There is no node ${nodeId.slice(0, 100)} in this cluster.`);
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
    return makeTrace({ engine: plan.engine, model: card.id, epoch }, stages, count);
  }

  /**
   * The plan in force with its reasons.
   * @throws EspalierError not_ready while there is none
   */
  plan(): Promise<PlanReport> {
    const { deployment } = this.#cluster;
    const request = requestInForce(this.#cluster);
    if (deployment && request) return this.#reports.report(deployment, request, this.#guesses.yieldShare);
    const reason = clusterReason(this.#cluster) ?? 'it is stopping';
    return Promise.reject(new EspalierError('not_ready', `there is no plan: ${reason}`));
  }

  /** Has every node check itself, and looks at all of them together. */
  doctor(): Promise<DoctorReport> {
    return checkCluster(this.#checks, () => ({
      nodes: [...this.#cluster.nodes.values()].map(({ facts, connected }) => {
        return { id: facts.id, name: facts.name, isConnected: connected };
      }),
      // what was seen of a node before it was paired may still be there
      waiting: this.pairing
        .report()
        .waiting.filter(({ id }) => !this.#cluster.nodes.get(id)?.connected)
        .map(({ name }) => name),
      linkFindings: this.links.findings,
    }));
  }

  /**
   * What a plan for a model would be made from, with what is known of the nodes that are connected.
   * @param guessYield the share of guesses that is taken to be right for it
   */
  planRequestFor(card: ModelCard, guessYield?: number): PlanRequest {
    const { nodes, drained, links, unlinked, measurements, wantedNodes } = this.#cluster;
    const planning = { ...this.#cluster.planning, guessYield };
    const known = {
      nodes: [...nodes.values()].filter(({ connected, facts }) => connected && !drained.has(facts.id)),
      links,
      unlinked,
      measurements,
    };
    return planRequest(card, known, planning, wantedNodes);
  }

  /**
   * The best plan for a model over the nodes that are connected.
   * @param before a plan whose files were fetched: it is kept where that costs little
   * @param guessYield as for `planRequestFor`
   * @throws EspalierError not_enough_nodes, bad_option
   */
  async planFor(card: ModelCard, before?: Plan, guessYield?: number): Promise<Plan> {
    const request = this.planRequestFor(card, guessYield);
    return (await this.#adviser.solve({ request, before: usable(before, request) })).plan.plan;
  }

  /** The plan of the deployment, where it is of this model. */
  planInForce(modelId: string): Plan | undefined {
    const { card, deployment } = this.#cluster;
    return card.id === modelId ? deployment?.plan : undefined;
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
    this.#take({ kind: 'model', card, modelFingerprint, plan, guessYield });
  }

  note(level: 'info' | 'warn' | 'error', text: string, fix?: string): void {
    this.#note(level, text, fix);
  }

  /** The nodes of one cluster may read each other's model files. */
  #shareFiles(): void {
    const connected = this.storeNodes.connected().map(({ id }) => id);
    const readers = connected.flatMap((id) => this.#nodes.fingerprintOf(id) ?? []);
    for (const id of connected) this.#nodes.send(id, { kind: 'store-share', readers });
  }

  /** As the planner does; the cluster is asked again as soon as there is an answer. */
  #solve(question: PlanQuestion): PlanAnswer | Promise<PlanAnswer> {
    const answer = this.#planner.solve(question);
    if (answer instanceof Promise) {
      const lookAgain = () => setImmediate(() => this.#take({ kind: 'tick' }));
      answer.then(lookAgain, lookAgain);
    }
    return answer;
  }

  /** @throws EspalierError as `Pairing.pairByCode` does */
  async pair(node: string, code: string): Promise<PairedAnswer> {
    return { node: await this.pairing.pairByCode(node, code) };
  }

  /**
   * Lets a node go: it is forgotten first, so that nothing of it is heard any more, then told.
   * @throws EspalierError as `Pairing.unpair` does
   */
  unpair(nameOrId: string): PairedAnswer {
    let forgotten = { id: '', name: '' };
    this.pairing.unpair(nameOrId, (node) => {
      forgotten = node;
      this.#note('info', `${node.name} is unpaired`);
      this.#nodes.dismiss(node.id, 'it was unpaired', { kind: 'unpair' });
      this.#take({ kind: 'node-forgotten', nodeId: node.id });
    });
    return { node: forgotten };
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

  #take(input: ClusterInput): void {
    if (this.#isStopping) return;
    for (const effect of advance(this.#cluster, input, performance.now())) this.#carryOut(effect);
    this.#linkQuiet.update();
    this.#setAlarm();
  }

  /** After a loss the next plan is due sooner than the next tick. */
  #setAlarm(): void {
    clearTimeout(this.#alarm);
    const { deployment, planNotBefore } = this.#cluster;
    const restMs = planNotBefore - performance.now();
    if (deployment || restMs <= 0) return;
    this.#alarm = setTimeout(() => this.#take({ kind: 'tick' }), Math.ceil(restMs));
  }

  #carryOut(effect: Effect): void {
    switch (effect.kind) {
      case 'deploy':
        this.#headSteps = 0;
        void this.#deploy(effect);
        break;
      case 'link':
        this.#deployer.link(effect.nodeId, effect);
        break;
      case 'leave':
        this.#nodes.send(effect.nodeId, { kind: 'leave', epoch: effect.epoch });
        break;
      case 'install-engine':
        this.#deployer.installEngine(effect.nodeId);
        break;
      case 'undeploy':
        this.#deployer.undeploy(effect.epoch, effect.nodeId);
        break;
      case 'fail-requests':
        this.requests.failAll(new EspalierError(effect.code, effect.message));
        break;
      case 'suspend-requests':
        this.requests.suspendAll(effect.why, effect.crashed);
        break;
      case 'crash-told':
        this.requests.noteCrash(effect.why);
        break;
      case 'resume-requests':
        this.requests.resumeAll((replayMs) => this.#options.incidents.resumed(this.#overcome, replayMs));
        break;
      case 'incident':
        this.#options.incidents.begin(effect.report);
        break;
      case 'incident-over':
        this.#overcome = effect.outcome.numbers;
        this.#options.incidents.end(effect.outcome);
        break;
      case 'save':
        void this.#options.deployments.save(effect.deployment);
        break;
      case 'event':
        this.#note(effect.level, effect.text, effect.fix);
        break;
    }
  }

  async #deploy({ epoch, plan, hopHosts }: Effect & { kind: 'deploy' }): Promise<void> {
    // what is told of it comes after the other effects that it is one of
    await Promise.resolve();
    try {
      await this.#deployer.deploy(epoch, plan, hopHosts, {
        isWanted: () => this.#cluster.deployment?.epoch === epoch,
        onFetching: () => this.#take({ kind: 'fetching', epoch }),
        onFetched: () => this.#take({ kind: 'fetched', epoch }),
      });
    } catch (error) {
      const { code, message } = asEspalierError(error);
      const nodeId = error instanceof NodeFault ? error.nodeId : undefined;
      this.#take({ kind: 'deploy-failed', epoch, nodeId, code, message });
    }
  }

  #stageEvent(nodeId: string, event: StageEvent): void {
    const { epoch } = event;
    // answers of an old epoch belong to nobody
    const isPresent = epoch === this.#cluster.deployment?.epoch;
    switch (event.kind) {
      case 'tokens':
        if (isPresent) this.requests.receive(event.tokens);
        break;
      case 'admitted':
        if (isPresent) this.requests.admit(event.requestIds);
        break;
      case 'request-failed':
        if (isPresent) this.requests.fail(event.failure);
        break;
      case 'trace':
        this.#traces.receive(epoch, nodeId, event.steps);
        break;
      default:
        if (event.kind === 'stats' && isPresent) this.#noteStats(nodeId, event.stats);
        if (event.kind === 'stats' && isPresent && event.stats.guesses)
          this.#guesses.note(epoch, event.stats.guesses);
        this.#take({ ...event, nodeId });
        if (event.kind === 'stats') this.#options.store.note(this.#cluster.measurements, performance.now());
    }
  }

  #noteStats(nodeId: string, stats: StageStats): void {
    const { deployment } = this.#cluster;
    if (deployment) this.#history.report(nodeId, deployment.epoch, stats, performance.now());
    this.#noteSteps(nodeId, stats.stepsTotal);
  }

  /** Steps of the head are progress for all: requests may wait long for their turn, but not for a stage that stands. */
  #noteSteps(nodeId: string, stepsTotal: number): void {
    const { deployment } = this.#cluster;
    const isHead = deployment !== undefined && nodeId === headStage(deployment.plan)?.nodeId;
    if (!isHead || stepsTotal === this.#headSteps) return;
    this.#headSteps = stepsTotal;
    this.requests.noteProgress();
  }

  /** Said once until something else is said: a refused node is tried again and again. */
  #noteRefusal(text: string): void {
    if (!this.#events.has(text)) this.#ofStrangers.note(text, { level: 'error' });
  }

  #note(level: About['level'], text: string, fix?: string, isOfStranger?: boolean): void {
    this.#log[level](fix ? { fix } : {}, text);
    this.#events.add(level, text, fix, isOfStranger);
  }
}

/** A plan over nodes of which one is gone, or of another model, is nothing to keep to. */
function usable(plan: Plan | undefined, { nodes, card }: PlanRequest): Plan | undefined {
  const isThere = plan?.stages.every(({ nodeId }) => nodes.some(({ id }) => id === nodeId));
  return isThere && plan?.modelId === card.id ? plan : undefined;
}
