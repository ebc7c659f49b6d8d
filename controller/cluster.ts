// The heart of the controller, without I/O: events in, a new state and effects out. It decides when to plan, what each
// node is to do, and when a deployment is over.
import { ERRORS, type ErrorCode, EspalierError, isErrorCode } from '../protocol/errors.ts';
import type { MachineFacts } from '../protocol/facts.ts';
import { LINKS_WAIT_MS } from '../protocol/limits.ts';
import type { HostPort, NodeFacts } from '../protocol/node.ts';
import { DEFAULT_PLANNING, formatRange, type ModelCard, type Plan } from '../protocol/plan.ts';
import type { StageStats } from '../protocol/stage.ts';
import type { ClusterEvent, ClusterState } from '../protocol/status.ts';
import { bestHop, describeHop, type HopPath, isAmong } from './links/hop-path.ts';
import { measuredLinks } from './links/measured-links.ts';
import { plannerNode } from './planner/from-facts.ts';
import type { NodeLink, PlanRequest } from './planner/inputs.ts';
import { learn, type Measurements } from './planner/measurements.ts';
import type { FoundPlan } from './planner/planner.ts';
import { PlanMemo, type Planning, type PlanSolver, planRequest } from './planning.ts';

export interface KnownNode {
  facts: NodeFacts;
  address: HostPort;
  foundBy: 'bonjour' | 'address';
  connected: boolean;
  /** what its machine is; undefined until the node has told */
  machine?: MachineFacts;
  /** its stage could not be loaded: plans leave it out until then, where the others can do without it */
  distrustedUntil?: number;
}

export interface DeployedStage {
  nodeId: string;
  state: 'loading' | 'loaded' | 'linked' | 'failed';
  hop: HostPort | undefined;
  /** the measured way by which the stage before reaches it; undefined: by the address that the controller knows */
  hopPath: HopPath | undefined;
  pid: number | undefined;
  weightBytes: number;
  stats: StageStats | undefined;
  /** when it last reported, once it is linked */
  heardAt: number;
  /** the last measured decode step, kept while idle */
  stepTimeMs: number | undefined;
}

export interface Deployment {
  epoch: number;
  plan: Plan;
  stages: DeployedStage[];
  /** milliseconds, for the deadline */
  since: number;
}

export interface Cluster {
  readonly card: ModelCard;
  /** nodes to wait for before the first plan; undefined: whoever is there when nobody new has come for a while */
  readonly wantedNodes: number | undefined;
  readonly planning: Planning;
  /** of layers on nodes, by chip; grows while stages report */
  readonly measurements: Measurements;
  /** between nodes, as measured; those without one have the planner's default */
  links: NodeLink[];
  /** a plan may take seconds: the same question is not asked twice */
  readonly memo: PlanMemo;
  nodes: Map<string, KnownNode>;
  deployment: Deployment | undefined;
  epoch: number;
  /** the plan of the last deployment: the next one keeps what its stages have loaded, where that costs little */
  lastPlan: Plan | undefined;
  hasServed: boolean;
  /** failed deployments in a row */
  failures: number;
  /** no new plan before this time */
  planNotBefore: number;
  lastNodeAt: number;
  /** when a request last began, ran or ended */
  lastBusyAt: number;
  reason: string | undefined;
  /** what ended the last deployment, in a registered code; undefined once one serves */
  failure: ErrorCode | undefined;
  requestsRunning: number;
  /** the ways between nodes that were measured */
  hopPaths: readonly HopPath[];
  /** links of connected nodes are still to be measured for the first time */
  linksPending: boolean;
}

export type ClusterInput =
  | { kind: 'node-connected'; node: KnownNode }
  | { kind: 'node-machine'; nodeId: string; machine: MachineFacts }
  | { kind: 'node-lost'; nodeId: string; reason: string }
  | { kind: 'stage-loaded'; nodeId: string; epoch: number; hop: HostPort; pid: number; weightBytes: number }
  | { kind: 'stage-linked'; nodeId: string; epoch: number }
  | { kind: 'stage-failed'; nodeId: string; epoch: number; code: string; message: string }
  | { kind: 'stats'; nodeId: string; epoch: number; stats: StageStats }
  | { kind: 'requests'; running: number }
  | { kind: 'links'; paths: readonly HopPath[]; isPending: boolean }
  | { kind: 'tick' };

export type Effect =
  /** `hopHosts`: where each stage listens; undefined leaves it to its agent */
  | { kind: 'deploy'; epoch: number; plan: Plan; hopHosts: readonly (string | undefined)[] }
  | { kind: 'link'; epoch: number; nodeId: string; next: HostPort; from: string | undefined }
  | { kind: 'undeploy'; epoch: number; nodeId: string }
  | { kind: 'fail-requests'; code: 'stage_lost'; message: string }
  | { kind: 'event'; level: ClusterEvent['level']; text: string; fix?: string };

/** Without a wanted number, a plan waits until no new node has come for this long. */
const SETTLE_MS = 3_000;
/** A deployment that is not up by then has failed: loading has its own deadline in the agent, this is above it. */
const DEPLOY_TIMEOUT_MS = 930_000;
/** A linked stage reports twice a second, but not while it computes: the longest chunk on a slow CPU is shorter. */
const STAGE_SILENCE_MS = 60_000;
/** A node whose stage could not be loaded is left out of plans for this long. */
const DISTRUST_MS = 60_000;
/** A node that came back is used when the cluster has been idle for this long. */
const REJOIN_MS = 2_000;
const BACKOFF_MS = [500, 1_000, 2_000, 5_000, 10_000, 30_000] as const;

export function newCluster(
  card: ModelCard,
  wantedNodes: number | undefined,
  planning: Planning = DEFAULT_PLANNING,
  measurements: Measurements = {},
  solve?: PlanSolver,
): Cluster {
  return {
    card,
    wantedNodes,
    planning,
    measurements,
    links: [],
    memo: new PlanMemo(solve),
    nodes: new Map(),
    deployment: undefined,
    epoch: 0,
    lastPlan: undefined,
    hasServed: false,
    failures: 0,
    planNotBefore: 0,
    lastNodeAt: 0,
    lastBusyAt: 0,
    reason: undefined,
    failure: undefined,
    requestsRunning: 0,
    hopPaths: [],
    linksPending: false,
  };
}

/** The public word for a state. */
export function clusterState(cluster: Cluster): ClusterState {
  const { deployment } = cluster;
  if (deployment && isServing(deployment)) return 'serving';
  if (deployment) return 'deploying';
  return cluster.hasServed || cluster.failures > 0 ? 'degraded' : 'starting';
}

export function isServing(deployment: Deployment): boolean {
  return deployment.stages.every((stage) => stage.state === 'linked');
}

/** Why it does not serve, in a sentence; null when it does. */
export function clusterReason(cluster: Cluster): string | null {
  const state = clusterState(cluster);
  if (state === 'serving') return null;
  if (state === 'deploying') {
    const stages = cluster.deployment?.stages ?? [];
    const loaded = stages.filter((stage) => stage.state !== 'loading').length;
    return `${loaded} of ${stages.length} stages have loaded`;
  }
  return cluster.reason ?? waiting(cluster);
}

function waiting(cluster: Cluster): string {
  const here = connectedNodes(cluster).length;
  const wanted = cluster.hasServed ? 1 : (cluster.wantedNodes ?? 1);
  if (here < wanted) return `waiting for nodes: ${here} of ${wanted} are connected`;
  return cluster.linksPending ? 'measuring the links between the nodes' : 'about to plan';
}

function connectedNodes(cluster: Cluster): KnownNode[] {
  // by name, then id: the same nodes give the same plan
  return [...cluster.nodes.values()]
    .filter((node) => node.connected)
    .sort(
      (a, b) =>
        a.facts.name.localeCompare(b.facts.name, 'en', { numeric: true }) ||
        (a.facts.id < b.facts.id ? -1 : 1),
    );
}

/**
 * Takes one event. Changes `cluster` in place.
 * @param now milliseconds on a clock that never jumps
 * @returns what is to be done, in order
 */
export function advance(cluster: Cluster, input: ClusterInput, now: number): Effect[] {
  switch (input.kind) {
    case 'node-connected':
      return nodeConnected(cluster, input.node, now);
    case 'node-machine': {
      const node = cluster.nodes.get(input.nodeId);
      if (node) node.machine = input.machine;
      return [];
    }
    case 'node-lost':
      return nodeLost(cluster, input.nodeId, input.reason, now);
    case 'stage-loaded':
      return onStage(cluster, input, (stage, deployment) => {
        Object.assign(stage, {
          state: 'loaded',
          hop: input.hop,
          pid: input.pid,
          weightBytes: input.weightBytes,
        });
        // an agent that may not listen where it was asked to listens where the controller reaches it
        if (stage.hopPath?.listenAddress !== input.hop.host) stage.hopPath = undefined;
        return linkWhenLoaded(deployment);
      });
    case 'stage-linked':
      return onStage(cluster, input, (stage, deployment) => {
        stage.state = 'linked';
        stage.heardAt = now;
        return isServing(deployment) ? nowServing(cluster, deployment) : [];
      });
    case 'stage-failed':
      return onStage(cluster, input, (stage) => {
        const node = cluster.nodes.get(input.nodeId);
        if (node && stage.state === 'loading') node.distrustedUntil = now + DISTRUST_MS;
        stage.state = 'failed';
        const name = cluster.nodes.get(input.nodeId)?.facts.name ?? input.nodeId;
        return endDeployment(cluster, `${name}: ${input.message}`, now, input.code);
      });
    case 'stats':
      return onStage(cluster, input, (stage, deployment) => {
        learnFrom(cluster, deployment, stage, input.stats);
        stage.stats = input.stats;
        stage.heardAt = now;
        stage.stepTimeMs = input.stats.stepTimeMs ?? stage.stepTimeMs;
        return [];
      });
    case 'requests':
      cluster.requestsRunning = input.running;
      cluster.lastBusyAt = now;
      return [];
    case 'links':
      cluster.hopPaths = input.paths;
      cluster.links = measuredLinks(input.paths);
      cluster.linksPending = input.isPending;
      return [...hopsGone(cluster, now), ...tick(cluster, now)];
    case 'tick':
      return tick(cluster, now);
  }
}

function nodeConnected(cluster: Cluster, node: KnownNode, now: number): Effect[] {
  const { id, name } = node.facts;
  const before = cluster.nodes.get(id);
  cluster.nodes.set(id, node);
  cluster.lastNodeAt = now;
  const effects: Effect[] = [
    { kind: 'event', level: 'info', text: `${name} is ${before ? 'back' : `found by ${node.foundBy}`}` },
  ];
  // an agent that was started anew holds no stage: its old one is gone even if nobody saw it go
  if (before?.connected && before.facts.bootId !== node.facts.bootId && holdsStage(cluster, id)) {
    effects.push(...endDeployment(cluster, `${name} was started anew`, now));
  }
  return [...effects, ...tick(cluster, now)];
}

function nodeLost(cluster: Cluster, nodeId: string, reason: string, now: number): Effect[] {
  const node = cluster.nodes.get(nodeId);
  if (!node?.connected) return [];
  node.connected = false;
  const text = `${node.facts.name} is lost: ${reason}`;
  const event: Effect = {
    kind: 'event',
    level: 'warn',
    text,
    fix: `Look at the agent on ${node.facts.name}; it is used again when it is back.`,
  };
  return holdsStage(cluster, nodeId) ? [event, ...endDeployment(cluster, text, now)] : [event];
}

function holdsStage(cluster: Cluster, nodeId: string): boolean {
  return cluster.deployment?.stages.some((stage) => stage.nodeId === nodeId) ?? false;
}

/** Events of a stage count only for the deployment that it belongs to. */
function onStage(
  cluster: Cluster,
  input: { nodeId: string; epoch: number },
  change: (stage: DeployedStage, deployment: Deployment) => Effect[],
): Effect[] {
  const { deployment } = cluster;
  const stage = deployment?.stages.find((candidate) => candidate.nodeId === input.nodeId);
  if (!deployment || !stage || deployment.epoch !== input.epoch) return [];
  return change(stage, deployment);
}

function linkWhenLoaded(deployment: Deployment): Effect[] {
  const { stages, epoch } = deployment;
  if (!stages.every((stage) => stage.state === 'loaded')) return [];
  return stages.map((stage, index) => {
    const next = stages[(index + 1) % stages.length] as DeployedStage;
    const hop = next.hop as HostPort;
    const { hopPath: path } = next;
    const way = path
      ? { next: { host: path.dialAddress, port: hop.port }, from: path.localAddress }
      : { next: hop, from: undefined };
    return { kind: 'link', epoch, nodeId: stage.nodeId, ...way };
  });
}

/** A hop whose way went away is dead, though its sockets may not notice for a long time. */
function hopsGone(cluster: Cluster, now: number): Effect[] {
  const lost = cluster.deployment?.stages.find(
    ({ hopPath }) => hopPath !== undefined && !isAmong(cluster.hopPaths, hopPath),
  )?.hopPath;
  if (!lost) return [];
  const nameOf = (id: string) => cluster.nodes.get(id)?.facts.name ?? id;
  const why = `the link from ${nameOf(lost.from)} to ${nameOf(lost.to)} is gone: ${describeHop(lost)}`;
  return endDeployment(cluster, why, now);
}

function nowServing(cluster: Cluster, deployment: Deployment): Effect[] {
  cluster.hasServed = true;
  cluster.failures = 0;
  cluster.reason = undefined;
  cluster.failure = undefined;
  const parts = deployment.plan.stages.map(
    ({ nodeId, range }) => `${cluster.nodes.get(nodeId)?.facts.name} ${formatRange(range)}`,
  );
  const text = `serving ${cluster.card.id}: layers ${parts.join(' → ')}`;
  return [{ kind: 'event', level: 'info', text }];
}

function endDeployment(cluster: Cluster, why: string, now: number, code = 'stage_lost'): Effect[] {
  const { deployment } = cluster;
  if (!deployment) return [];
  const wasServing = isServing(deployment) || cluster.requestsRunning > 0;
  cluster.deployment = undefined;
  cluster.reason = why;
  cluster.failure = isErrorCode(code) ? code : 'internal';
  const backoff = BACKOFF_MS[Math.min(cluster.failures, BACKOFF_MS.length - 1)] as number;
  cluster.failures += 1;
  cluster.planNotBefore = now + backoff;
  const effects: Effect[] = deployment.stages
    .filter((stage) => cluster.nodes.get(stage.nodeId)?.connected)
    .map((stage) => ({ kind: 'undeploy', epoch: deployment.epoch, nodeId: stage.nodeId }));
  if (wasServing) effects.push({ kind: 'fail-requests', code: 'stage_lost', message: why });
  const again =
    cluster.failures >= 3 ? ' It has failed several times in a row; the log of the named node has more.' : '';
  // requests were told to come again; whoever runs the cluster needs to know what to mend
  const fix = cluster.failure === 'stage_lost' ? again.trim() : `${ERRORS[cluster.failure].solve}${again}`;
  effects.push({ kind: 'event', level: 'error', text: why, ...(fix && { fix }) });
  return effects;
}

function tick(cluster: Cluster, now: number): Effect[] {
  const { deployment } = cluster;
  if (!deployment) return plan(cluster, now);
  const silent = deployment.stages.find(
    (stage) => stage.state === 'linked' && now - stage.heardAt > STAGE_SILENCE_MS,
  );
  if (silent) {
    const name = cluster.nodes.get(silent.nodeId)?.facts.name ?? silent.nodeId;
    return endDeployment(
      cluster,
      `${name}: its stage has said nothing for ${STAGE_SILENCE_MS / 1000} s`,
      now,
    );
  }
  if (isServing(deployment)) return rejoin(cluster, deployment, now);
  if (now - deployment.since > DEPLOY_TIMEOUT_MS)
    return endDeployment(cluster, 'the stages did not come up in time', now);
  return [];
}

function plan(cluster: Cluster, now: number): Effect[] {
  const nodes = usableNodes(cluster, now);
  if (nodes.length === 0 || now < cluster.planNotBefore) return [];
  const isFirst = !cluster.hasServed;
  if (isFirst && cluster.wantedNodes !== undefined && nodes.length < cluster.wantedNodes) return [];
  if (cluster.wantedNodes === undefined && now - cluster.lastNodeAt < SETTLE_MS) return [];
  if (waitsForLinks(cluster, now)) return [];
  try {
    const found = cluster.memo.plan(cluster.epoch, requestOver(cluster, nodes), cluster.lastPlan);
    return found ? deploy(cluster, found, now) : [];
  } catch (error) {
    if (!(error instanceof EspalierError)) throw error;
    const isNew = cluster.reason !== error.message;
    cluster.reason = error.message;
    return isNew ? [{ kind: 'event', level: 'error', text: error.message, fix: error.solve }] : [];
  }
}

/** A plan is only as good as what is known of the links; but nobody waits for ever. */
function waitsForLinks(cluster: Cluster, now: number): boolean {
  return cluster.linksPending && now - cluster.lastNodeAt < LINKS_WAIT_MS;
}

/** The nodes that a plan may use: all trusted ones, or everybody where trust leaves nobody. */
function usableNodes(cluster: Cluster, now: number): KnownNode[] {
  const here = connectedNodes(cluster);
  const trusted = here.filter((node) => (node.distrustedUntil ?? 0) <= now);
  return trusted.length > 0 ? trusted : here;
}

function requestOver(cluster: Cluster, nodes: readonly KnownNode[]): PlanRequest {
  const { card, planning, links, measurements, wantedNodes } = cluster;
  return planRequest(card, { nodes, links, measurements }, planning, wantedNodes);
}

/** The question that the plan in force answers, with what is known today; undefined while there is none. */
export function requestInForce(cluster: Cluster): PlanRequest | undefined {
  const { deployment } = cluster;
  if (!deployment) return undefined;
  const isPart = ({ facts }: KnownNode) => deployment.plan.stages.some(({ nodeId }) => nodeId === facts.id);
  const nodes = [...cluster.nodes.values()].filter((node) => node.connected || isPart(node));
  return requestOver(cluster, nodes);
}

function learnFrom(cluster: Cluster, deployment: Deployment, stage: DeployedStage, stats: StageStats): void {
  const place = deployment.plan.stages.find(({ nodeId }) => nodeId === stage.nodeId);
  const known = cluster.nodes.get(stage.nodeId);
  if (!place || !known) return;
  const node = plannerNode(known);
  learn(cluster.measurements, cluster.card, { node, range: place.range }, stage.stats, stats);
}

function deploy(cluster: Cluster, { plan }: FoundPlan, now: number): Effect[] {
  const hopPathTo = (index: number) => {
    const { length } = plan.stages;
    const before = plan.stages[(index + length - 1) % length];
    const stage = plan.stages[index];
    return before && stage ? bestHop(cluster.hopPaths, before.nodeId, stage.nodeId) : undefined;
  };
  cluster.epoch += 1;
  cluster.lastPlan = plan;
  cluster.deployment = {
    epoch: cluster.epoch,
    plan,
    since: now,
    stages: plan.stages.map((stage, index) => ({
      nodeId: stage.nodeId,
      state: 'loading',
      hop: undefined,
      hopPath: hopPathTo(index),
      pid: undefined,
      weightBytes: stage.weightBytes,
      stats: undefined,
      heardAt: now,
      stepTimeMs: undefined,
    })),
  };
  const text = `deploying ${cluster.card.id} on ${plan.stages.length} node${plan.stages.length === 1 ? '' : 's'}`;
  return [
    { kind: 'event', level: 'info', text },
    {
      kind: 'deploy',
      epoch: cluster.epoch,
      plan,
      hopHosts: cluster.deployment.stages.map(({ hopPath }) => hopPath?.listenAddress),
    },
  ];
}

/** A node that came back or late, and a new cable, are made use of when nobody is disturbed and the plan gets better. */
function rejoin(cluster: Cluster, deployment: Deployment, now: number): Effect[] {
  const here = usableNodes(cluster, now);
  const isIdle =
    cluster.requestsRunning === 0 && now - Math.max(cluster.lastBusyAt, cluster.lastNodeAt) >= REJOIN_MS;
  if (!isIdle || waitsForLinks(cluster, now)) return [];
  const better = cluster.memo.betterPlan(cluster.epoch, requestOver(cluster, here), deployment.plan);
  if (!better) return [];
  const undeploy = deployment.stages.map(
    (stage): Effect => ({ kind: 'undeploy', epoch: deployment.epoch, nodeId: stage.nodeId }),
  );
  cluster.deployment = undefined;
  return [...undeploy, ...deploy(cluster, better, now)];
}
