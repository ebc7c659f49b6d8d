// The state of the cluster's heart, and what can be read from it without changing it. Without I/O and without a clock.
import type { ErrorCode } from '../../protocol/errors.ts';
import type { MachineFacts } from '../../protocol/facts.ts';
import type { HostPort, NodeFacts } from '../../protocol/node.ts';
import { DEFAULT_PLANNING, type ModelCard, type Plan } from '../../protocol/plan.ts';
import type { EngineState, RankLaunch } from '../../protocol/ranks.ts';
import type { HeldStage, KvEpoch, StageStats } from '../../protocol/stage.ts';
import type { ClusterEvent, ClusterState } from '../../protocol/status.ts';
import type { HopPath } from '../links/hop-path.ts';
import type { NodeLink, NodePair } from '../planner/inputs.ts';
import type { Measurements } from '../planner/measurements.ts';
import { PlanMemo, type Planning, type PlanSolver } from '../planning.ts';
import { type DraftInput, type DraftState, newDraftState } from './draft-state.ts';
import { Mistrust } from './mistrust.ts';

export interface KnownNode {
  facts: NodeFacts;
  address: HostPort;
  foundBy: 'bonjour' | 'address';
  connected: boolean;
  /** what its machine is; undefined until the node has told */
  machine?: MachineFacts;
  /** what it has of MLX Distributed; undefined until it has told */
  engine?: EngineState;
}

export interface DeployedStage {
  nodeId: string;
  state: 'loading' | 'loaded' | 'linked' | 'failed';
  hop: HostPort | undefined;
  /** the measured way by which the stage before reaches it; undefined: by the address that the controller knows */
  hopPath: HopPath | undefined;
  pid: number | undefined;
  weightBytes: number;
  /** while it loads: layers that it has read, of those that it has to read */
  progress: { layers: number; ofLayers: number } | undefined;
  /** layers that it had to read for this deployment; undefined until it has loaded */
  readLayers: number | undefined;
  kvEpoch: KvEpoch;
  stats: StageStats | undefined;
  /** when it last reported, once it is linked */
  heardAt: number;
  /** the last measured decode step, kept while idle */
  stepTimeMs: number | undefined;
  /** of a rank of MLX Distributed: what it waited in the same step */
  stepWaitMs?: number | undefined;
}

export interface Deployment {
  epoch: number;
  plan: Plan;
  stages: DeployedStage[];
  /** when it was begun */
  since: number;
  /** when its stages began to load, for the deadline; undefined while the files that they need are fetched */
  loadingSince: number | undefined;
  /** when all its stages had loaded */
  loadedAt: number | undefined;
  servingSince: number | undefined;
}

/** A deployment is over, and another one is to follow. */
export interface Loss {
  at: number;
  /** numbers of the incidents that tell of it: while stages come up again, more may happen */
  incidents: number[];
  /** what was lost last; undefined where another model took its place */
  over?: Deployment | undefined;
}

/** A plan that served, with its epoch: what an earlier controller with this home had, or this one before a loss. */
export interface SavedDeployment {
  epoch: number;
  plan: Plan;
}

export interface Cluster {
  /** of the model that is deployed, or to be */
  card: ModelCard;
  modelFingerprint: string;
  /** nodes to wait for before the first plan; undefined: whoever is there when nobody new has come for a while */
  readonly wantedNodes: number | undefined;
  /** what is wanted of plans; the share of right guesses is that of the model */
  planning: Planning;
  /** of layers on nodes, by chip; grows while stages report */
  readonly measurements: Measurements;
  /** a plan may take seconds: the same question is not asked twice */
  readonly memo: PlanMemo;
  /** the same for plans over all nodes, where those that can be relied on do not suffice */
  readonly lastResort: PlanMemo;
  /** which nodes and ways are better left alone for a while */
  readonly mistrust: Mistrust;
  /** between nodes, as measured; those without one have the planner's default */
  links: NodeLink[];
  /** nodes that do not reach one another */
  unlinked: readonly NodePair[];
  nodes: Map<string, KnownNode>;
  /** what each agent has loaded, as far as is known; by node */
  held: Map<string, HeldStage>;
  /** nodes that were told of a stage and not to end it: also those that never said that it has loaded */
  readonly mayHold: Set<string>;
  deployment: Deployment | undefined;
  /** the last loss, until the cluster serves again or it is clear that it cannot */
  lost: Loss | undefined;
  /** what is to be deployed again where that is possible: its stages may still be loaded */
  previous: SavedDeployment | undefined;
  epoch: number;
  hasServed: boolean;
  /** deployments in a row that failed by themselves before they had served for a while */
  failures: number;
  /** no new plan before this time */
  planNotBefore: number;
  firstNodeAt: number | undefined;
  lastNodeAt: number;
  /** when a request last began, ran or ended */
  lastBusyAt: number;
  reason: string | undefined;
  /** what ended the last deployment, in a registered code; undefined once one serves */
  failure: ErrorCode | undefined;
  /** running and waiting ones */
  requests: number;
  incidents: number;
  /** the ways between nodes that were measured */
  hopPaths: readonly HopPath[];
  /** links of connected nodes are still to be measured for the first time */
  linksPending: boolean;
  /** the draft on a node of its own */
  readonly draft: DraftState;
  /** nodes that no plan may use, until they are given back */
  readonly drained: Set<string>;
  /** of these, one whose stage is to move while requests run */
  drainNow: boolean;
}

/** A look at what the nodes hold takes less; from then on, files are on their way. */
const FETCH_LOOK_MS = 5_000;

export type ClusterInput =
  /** `draftEpoch`: of the draft that it runs already */
  | { kind: 'node-connected'; node: KnownNode; held: HeldStage | null; draftEpoch?: number }
  | { kind: 'node-machine'; nodeId: string; machine: MachineFacts }
  | { kind: 'node-engine'; nodeId: string; engine: EngineState }
  /** `isSilent`: nothing was heard of it for the length of its lease; otherwise its connection was closed */
  | { kind: 'node-lost'; nodeId: string; reason: string; isSilent: boolean }
  /** it is none of this cluster's any more; if it was connected, it was lost just before */
  | { kind: 'node-forgotten'; nodeId: string }
  | {
      kind: 'stage-loaded';
      nodeId: string;
      epoch: number;
      hop: HostPort;
      pid: number;
      weightBytes: number;
      readLayers: number;
      kvEpoch: KvEpoch;
    }
  /** the files that a deployment needs are on their way, which takes as long as it takes */
  | { kind: 'fetching'; epoch: number }
  /** they are there, and its stages were told to load */
  | { kind: 'fetched'; epoch: number }
  /** its stages were told nothing; `nodeId`: where the reason lies, undefined where it lies with no node */
  | { kind: 'deploy-failed'; epoch: number; nodeId: string | undefined; code: ErrorCode; message: string }
  | { kind: 'stage-progress'; nodeId: string; epoch: number; layers: number; ofLayers: number }
  | { kind: 'stage-linked'; nodeId: string; epoch: number }
  | { kind: 'stage-unlinked'; nodeId: string; epoch: number; hop: 'before' | 'after'; reason: string }
  | { kind: 'stage-failed'; nodeId: string; epoch: number; code: string; message: string }
  | { kind: 'stats'; nodeId: string; epoch: number; stats: StageStats }
  | DraftInput
  | { kind: 'requests'; count: number }
  | { kind: 'links'; paths: readonly HopPath[]; isPending: boolean; unlinked?: readonly NodePair[] }
  /** `now`: while requests run; otherwise its stage moves away when none has run for a while */
  | { kind: 'drain'; nodeId: string; now: boolean }
  | { kind: 'undrain'; nodeId: string }
  /** `plan`: what its files were fetched for; `guessYield`: as in Planning */
  | { kind: 'model'; card: ModelCard; modelFingerprint: string; plan: Plan; guessYield?: number | undefined }
  | { kind: 'tick' };

/** What was seen to go wrong, where, and what is to be done about it by people; `number` counts from 1. */
export interface IncidentReport {
  number: number;
  nodeId: string | undefined;
  node: string | undefined;
  code: ErrorCode;
  seen: string;
  fix: string | undefined;
  /** requests that were running or waiting */
  requests: number;
}

/** How a loss ended. */
export interface IncidentOutcome {
  numbers: number[];
  /** `serving` again, or why not */
  outcome: 'serving' | 'impossible';
  done: string;
  /** from the loss to the plan, from there until all stages had loaded, and until they were linked */
  planMs: number | undefined;
  loadMs: number | undefined;
  linkMs: number | undefined;
}

export type Effect =
  /** `hopHosts`: where each stage listens; undefined leaves it to its agent */
  | { kind: 'deploy'; epoch: number; plan: Plan; hopHosts: readonly (string | undefined)[] }
  | {
      kind: 'link';
      epoch: number;
      nodeId: string;
      next: HostPort;
      from: string | undefined;
      keepsKv: boolean;
      /** of MLX Distributed: how its ranks meet */
      ranks?: RankLaunch | undefined;
    }
  /** its hops are closed, what it holds is kept */
  | { kind: 'leave'; epoch: number; nodeId: string }
  | { kind: 'install-engine'; nodeId: string }
  /** a draft for the first stage of this plan; `hopHost` as of stages */
  | { kind: 'draft-deploy'; epoch: number; plan: Plan; nodeId: string; hopHost: string | undefined }
  | { kind: 'draft-end'; nodeId: string }
  /** to the first stage's node, whose deployment has the epoch `stagesEpoch` */
  | {
      kind: 'draft-link';
      epoch: number;
      stagesEpoch: number;
      nodeId: string;
      next: HostPort;
      from: string | undefined;
    }
  | { kind: 'undeploy'; epoch: number; nodeId: string }
  /** requests wait from now on; `crashed`: a stage crashed while it computed them */
  | { kind: 'suspend-requests'; why: string; crashed: boolean }
  /** what they were suspended for was a crash after all, as was told only now */
  | { kind: 'crash-told'; why: string }
  /** all that wait are sent to the head, with the tokens that they have */
  | { kind: 'resume-requests' }
  | { kind: 'fail-requests'; code: ErrorCode; message: string }
  | { kind: 'incident'; report: IncidentReport }
  | { kind: 'incident-over'; outcome: IncidentOutcome }
  /** what a controller that is started anew adopts */
  | { kind: 'save'; deployment: SavedDeployment }
  | { kind: 'event'; level: ClusterEvent['level']; text: string; fix?: string };

export interface ClusterOptions {
  card: ModelCard;
  modelFingerprint: string;
  wantedNodes?: number | undefined;
  planning?: Planning | undefined;
  measurements?: Measurements | undefined;
  /** what an earlier controller with this home had deployed */
  previous?: SavedDeployment | undefined;
  /** incidents that were counted by earlier controllers */
  incidents?: number | undefined;
  /** answers the planner's questions, at once or later; undefined: at once */
  solve?: PlanSolver | undefined;
}

export function newCluster(options: ClusterOptions): Cluster {
  const { card, modelFingerprint, wantedNodes, previous } = options;
  return {
    card,
    modelFingerprint,
    wantedNodes,
    planning: options.planning ?? DEFAULT_PLANNING,
    measurements: options.measurements ?? {},
    memo: new PlanMemo(options.solve),
    lastResort: new PlanMemo(options.solve),
    mistrust: new Mistrust(),
    links: [],
    unlinked: [],
    nodes: new Map(),
    held: new Map(),
    mayHold: new Set(),
    deployment: undefined,
    lost: undefined,
    previous,
    epoch: previous?.epoch ?? 0,
    hasServed: false,
    failures: 0,
    planNotBefore: 0,
    firstNodeAt: undefined,
    lastNodeAt: 0,
    lastBusyAt: 0,
    reason: undefined,
    failure: undefined,
    requests: 0,
    incidents: options.incidents ?? 0,
    hopPaths: [],
    linksPending: false,
    draft: newDraftState(),
    drained: new Set(),
    drainNow: false,
  };
}

/** The public word for a state. */
export function clusterState(cluster: Cluster): ClusterState {
  const { deployment, lost } = cluster;
  if (deployment && isServing(deployment)) return 'serving';
  if (isRecovering(cluster)) return 'recovering';
  if (deployment) return 'deploying';
  return cluster.hasServed || lost || cluster.failures > 0 ? 'degraded' : 'starting';
}

export function isServing(deployment: Deployment): boolean {
  return deployment.stages.every((stage) => stage.state === 'linked');
}

/**
 * It served, was interrupted or is deployed in a better way, and will serve again with what is there: requests wait for
 * that rather than fail.
 * Over as soon as a plan is found to be impossible.
 */
export function isRecovering({ lost, hasServed, deployment }: Cluster): boolean {
  return (
    hasServed && (lost !== undefined || deployment !== undefined) && !(deployment && isServing(deployment))
  );
}

/** Files are on their way, which may take hours: nobody new waits for that. */
export function isFetching({ deployment }: Cluster, now: number): boolean {
  return (
    deployment !== undefined &&
    deployment.loadingSince === undefined &&
    now - deployment.since >= FETCH_LOOK_MS
  );
}

/** Why it does not serve, in a sentence; null when it does. */
export function clusterReason(cluster: Cluster): string | null {
  const { deployment } = cluster;
  if (deployment && isServing(deployment)) return null;
  if (deployment) return loadingReason(cluster, deployment);
  return cluster.reason ?? waiting(cluster);
}

function loadingReason(cluster: Cluster, { stages, loadingSince }: Deployment): string {
  if (loadingSince === undefined) return 'the files of the model are brought to their nodes';
  const loaded = stages.filter((stage) => stage.state !== 'loading').length;
  const reading = stages.flatMap(({ nodeId, state, progress }) =>
    state === 'loading' && progress
      ? `${nameOf(cluster, nodeId)} has read ${progress.layers} of ${progress.ofLayers} layers`
      : [],
  );
  return [`${loaded} of ${stages.length} stages have loaded`, ...reading].join(', ');
}

function waiting(cluster: Cluster): string {
  const here = connectedNodes(cluster).length;
  const wanted = cluster.hasServed ? 1 : (cluster.wantedNodes ?? 1);
  if (here < wanted) return `waiting for nodes: ${here} of ${wanted} are connected`;
  return cluster.linksPending ? 'measuring the links between the nodes' : 'about to plan';
}

export function connectedNodes(cluster: Cluster): KnownNode[] {
  // by name, then id: the same nodes give the same plan
  return [...cluster.nodes.values()]
    .filter((node) => node.connected)
    .sort(
      (a, b) =>
        a.facts.name.localeCompare(b.facts.name, 'en', { numeric: true }) ||
        (a.facts.id < b.facts.id ? -1 : 1),
    );
}

export function nameOf(cluster: Cluster, nodeId: string): string {
  return cluster.nodes.get(nodeId)?.facts.name ?? nodeId;
}

export function stageOf(cluster: Cluster, nodeId: string): DeployedStage | undefined {
  return cluster.deployment?.stages.find((stage) => stage.nodeId === nodeId);
}
