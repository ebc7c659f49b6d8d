// What ends a deployment: nodes, stages and hops that are lost. The stages that are left keep what they have loaded, the
// requests wait, and the next plan follows at once; only what fails again and again is tried less and less often.
import { ERRORS, type ErrorCode, isErrorCode } from '../../protocol/errors.ts';
import { LOAD_TIMEOUT_MS, RANK_LINK_TIMEOUT_MS } from '../../protocol/limits.ts';
import type { LayerRange, Plan } from '../../protocol/plan.ts';
import { describeHop, type HopPath, isAmong } from '../links/hop-path.ts';
import {
  type Cluster,
  type DeployedStage,
  type Deployment,
  type Effect,
  isServing,
  type KnownNode,
  nameOf,
  stageOf,
} from './state.ts';

/**
 * Stages that have not loaded by then have failed: loading has its own deadlines in the agent, this is above them. Bringing
 * files to a node has those of a pull.
 */
const DEPLOY_TIMEOUT_MS = 930_000;
/** Linking takes a dial; the agents give up after ten seconds. */
const LINK_TIMEOUT_MS = 15_000;
/** Agents end a rank that did not find the others; this is above their deadlines. */
const RANKS_GRACE_MS = 5_000;
/** A linked stage reports twice a second; its agent ends it long before this when it stands. */
const STAGE_SILENCE_MS = 60_000;
/** One fault is told by several: by the agent of what crashed and by its neighbours, in any order. */
const GATHER_MS = 150;
/** A node whose connection was closed may be back at once, with all that it has loaded. */
const RECONNECT_MS = 1_000;
const BACKOFF_MS = [GATHER_MS, 500, 1_000, 2_000, 5_000, 10_000, 30_000] as const;
/** Incidents of one interruption that are told of when it is over. */
const MAX_OPEN_INCIDENTS = 20;
/** What has served for this long did not fail by itself. */
const PROVEN_MS = 5_000;

interface Cause {
  nodeId: string | undefined;
  text: string;
  code: ErrorCode;
  fix?: string | undefined;
  /** time for others to say more, or to come back */
  waitMs: number;
  /** it failed by itself, so that trying again at once may fail again */
  isOwnFault?: boolean | undefined;
  /** a stage that was computing crashed */
  crashed?: boolean | undefined;
}

export function nodeLost(
  cluster: Cluster,
  { nodeId, reason, isSilent }: { nodeId: string; reason: string; isSilent: boolean },
  now: number,
): Effect[] {
  const node = cluster.nodes.get(nodeId);
  if (!node?.connected) return [];
  node.connected = false;
  const text = `${node.facts.name} is lost: ${reason}`;
  const fix = `Look at the agent on ${node.facts.name}; it is used again when it is back.`;
  cluster.mistrust.waysForgiven(nodeId);
  if (cluster.held.has(nodeId)) cluster.mistrust.nodeLost(nodeId, now);
  if (!stageOf(cluster, nodeId)) {
    // what it held may be wanted by the plan that is due
    if (cluster.lost && cluster.held.has(nodeId) && !isSilent)
      backOff(cluster, { waitMs: RECONNECT_MS }, now);
    return [{ kind: 'event', level: 'warn', text, fix }];
  }
  return lose(cluster, { nodeId, text, code: 'stage_lost', fix, waitMs: isSilent ? 0 : RECONNECT_MS }, now);
}

/** A second connection of a node took the place of the first: what was said in between is lost. */
export function nodeStartedAnew(cluster: Cluster, node: KnownNode, before: KnownNode, now: number): Effect[] {
  const { id, name, bootId } = node.facts;
  if (!stageOf(cluster, id)) return [];
  const how = bootId === before.facts.bootId ? 'has connected anew' : 'was started anew';
  return lose(cluster, { nodeId: id, text: `${name} ${how}`, code: 'stage_lost', waitMs: 0 }, now);
}

export function stageUnlinked(
  cluster: Cluster,
  unlinked: {
    deployment: Deployment;
    stage: DeployedStage;
    nodeId: string;
    hop: 'before' | 'after';
    reason: string;
  },
  now: number,
): Effect[] {
  const { deployment, stage, nodeId, hop, reason } = unlinked;
  const { stages } = deployment;
  const isOwnFault = deployment.servingSince === undefined;
  if (deployment.plan.engine === 'mlx-distributed') {
    // which one it was is not known to MLX; the agent of that one tells, if it still can
    const text = `the rank of ${nameOf(cluster, nodeId)} has lost another one: ${reason}`;
    return lose(cluster, { nodeId, text, code: 'stage_lost', waitMs: GATHER_MS, isOwnFault }, now);
  }
  const index = stages.indexOf(stage);
  const receiver = hop === 'before' ? stage : stages[(index + 1) % stages.length];
  const sender = hop === 'after' ? stage : stages[(index + stages.length - 1) % stages.length];
  if (!receiver || !sender) return [];
  const way = receiver.hopPath;
  const names = `${nameOf(cluster, sender.nodeId)} to ${nameOf(cluster, receiver.nodeId)}`;
  const text = `the hop from ${names} is lost${way ? ` (${describeHop(way)})` : ''}: ${reason}`;
  // whoever closed it is gone or will say why; a way on which nothing comes through is better avoided
  const isClosed = /clos|reset|ECONNRESET|ECONNREFUSED|EPIPE/i.test(reason);
  if (way && !isClosed) cluster.mistrust.waySilent(way, now);
  const fix = isClosed ? undefined : `Look at the cable: \`espalier links\` shows what is measured.`;
  return lose(cluster, { nodeId, text, code: 'stage_lost', fix, waitMs: GATHER_MS, isOwnFault }, now);
}

export function stageFailed(
  cluster: Cluster,
  failed: { deployment: Deployment; stage: DeployedStage; nodeId: string; code: string; message: string },
  now: number,
): Effect[] {
  const range = failedRange(failed.deployment, failed.stage);
  return lose(cluster, failureOf(cluster, { ...failed, range }, now), now);
}

/** Its neighbours were faster to tell: the deployment is over, and this is why. */
export function stageFailedLate(
  cluster: Cluster,
  failed: { nodeId: string; epoch: number; code: string; message: string },
  now: number,
): Effect[] {
  const { deployment, lost } = cluster;
  const { over } = lost ?? {};
  if (deployment || !lost || over?.epoch !== failed.epoch) return [];
  const stage = over.stages.find(({ nodeId }) => nodeId === failed.nodeId);
  if (!stage || stage.state === 'failed') return [];
  const cause = failureOf(cluster, { ...failed, range: failedRange(over, stage) }, now);
  cluster.reason = cause.text;
  cluster.failure = cause.code;
  backOff(cluster, cause, now);
  const effects = told(cluster, cause, lost.at);
  if (!cause.crashed || cluster.requests === 0) return effects;
  return [{ kind: 'crash-told', why: cause.text }, ...effects];
}

/** From now on it has failed. @returns its layers, where they had been loaded */
function failedRange({ plan }: Deployment, stage: DeployedStage): LayerRange | undefined {
  const hadLoaded = stage.state !== 'loading';
  stage.state = 'failed';
  return hadLoaded ? plan.stages.find(({ nodeId }) => nodeId === stage.nodeId)?.range : undefined;
}

/** Its stages were told nothing, and hold what they held before. */
export function deployFailed(
  cluster: Cluster,
  { nodeId, code, message: text }: { nodeId: string | undefined; code: ErrorCode; message: string },
  now: number,
): Effect[] {
  if (nodeId !== undefined) cluster.mistrust.couldNotLoad(nodeId, now);
  const fix = ERRORS[code].solve;
  return lose(cluster, { nodeId, text, code, fix, waitMs: GATHER_MS, isOwnFault: true }, now);
}

/** @param failed `range` where the stage had been loaded */
function failureOf(
  cluster: Cluster,
  failed: { nodeId: string; code: string; message: string; range: LayerRange | undefined },
  now: number,
): Cause {
  const { nodeId, message, range } = failed;
  const code = isErrorCode(failed.code) ? failed.code : 'internal';
  const name = nameOf(cluster, nodeId);
  cluster.held.delete(nodeId);
  // its process is gone; who refuses what is not newer keeps what he has
  if (code !== 'old_epoch') cluster.mayHold.delete(nodeId);
  cluster.mistrust.waysForgiven(nodeId);
  if (!range) cluster.mistrust.couldNotLoad(nodeId, now);
  const isTooOften = range !== undefined && cluster.mistrust.crashed(nodeId, range, now);
  const again = isTooOften
    ? ` It crashed three times with these layers: ${name} is left out where that is possible.`
    : '';
  const solve = code === 'stage_lost' ? '' : ERRORS[code].solve;
  const fix = `${solve}${again}`.trim() || `The log of the agent on ${name} has more; it is started again.`;
  const text = `${name}: ${message}`;
  const crashed = range !== undefined;
  return { nodeId, text, code, fix, waitMs: GATHER_MS, isOwnFault: true, crashed };
}

/** A hop whose way went away is dead, though its sockets may not notice for a long time. */
export function hopsGone(cluster: Cluster, now: number): Effect[] {
  const isGone = (path: HopPath | undefined): path is HopPath =>
    path !== undefined && !isAmong(cluster.hopPaths, path);
  const lost = cluster.deployment?.stages.map(({ hopPath }) => hopPath).find(isGone);
  if (!lost) return [];
  const names = `${nameOf(cluster, lost.from)} to ${nameOf(cluster, lost.to)}`;
  const text = `the link from ${names} is gone: ${describeHop(lost)}`;
  const fix = 'Look at the cable: `espalier links` shows what is measured.';
  return lose(cluster, { nodeId: lost.from, text, code: 'stage_lost', fix, waitMs: 0 }, now);
}

export function silentStage(cluster: Cluster, deployment: Deployment, now: number): Effect[] {
  const silent = deployment.stages.find(
    (stage) => stage.state === 'linked' && now - stage.heardAt > STAGE_SILENCE_MS,
  );
  if (!silent) return [];
  const { nodeId } = silent;
  const text = `${nameOf(cluster, nodeId)}: its stage has said nothing for ${STAGE_SILENCE_MS / 1000} s`;
  return lose(cluster, { nodeId, text, code: 'stage_lost', waitMs: 0, isOwnFault: true }, now);
}

export function lateDeployment(cluster: Cluster, deployment: Deployment, now: number): Effect[] {
  if (isServing(deployment)) return [];
  const { loadedAt, loadingSince = Number.POSITIVE_INFINITY, stages } = deployment;
  const late = stages.find(({ state }) => state !== 'linked');
  const isLate =
    loadedAt === undefined
      ? now - loadingSince > DEPLOY_TIMEOUT_MS
      : now - loadedAt > linkTimeoutMs(deployment.plan);
  if (!late || !isLate) return [];
  const what = loadedAt === undefined ? 'load' : 'link';
  const text = `the stage of ${nameOf(cluster, late.nodeId)} did not ${what} in time`;
  return lose(cluster, { nodeId: late.nodeId, text, code: 'stage_lost', waitMs: 0, isOwnFault: true }, now);
}

function linkTimeoutMs({ engine, split }: Plan): number {
  if (engine === 'node-mlx') return LINK_TIMEOUT_MS;
  // tensor ranks read their parts once they have met
  return RANKS_GRACE_MS + (split === 'tensor' ? LOAD_TIMEOUT_MS : RANK_LINK_TIMEOUT_MS);
}

/** Ends the deployment. Its stages stay loaded: the next one takes what it can use and ends the others. */
function lose(cluster: Cluster, cause: Cause, now: number): Effect[] {
  const { deployment } = cluster;
  if (!deployment) return [];
  const { servingSince } = deployment;
  cluster.deployment = undefined;
  cluster.reason = cause.text;
  cluster.failure = cause.code;
  if (servingSince !== undefined && now - servingSince > PROVEN_MS) cluster.failures = 0;
  backOff(cluster, cause, now);
  const effects = told(cluster, cause, cluster.lost?.at ?? now);
  if (cluster.lost) cluster.lost.over = deployment;
  if (cluster.requests === 0) return effects;
  return [{ kind: 'suspend-requests', why: cause.text, crashed: cause.crashed ?? false }, ...effects];
}

function backOff(
  cluster: Cluster,
  { isOwnFault, waitMs }: Pick<Cause, 'isOwnFault' | 'waitMs'>,
  now: number,
): void {
  if (isOwnFault) cluster.failures += 1;
  const place = Math.min(Math.max(cluster.failures - 1, 0), BACKOFF_MS.length - 1);
  const backoffMs = isOwnFault ? (BACKOFF_MS[place] ?? 0) : 0;
  cluster.planNotBefore = Math.max(cluster.planNotBefore, now + Math.max(waitMs, backoffMs));
}

/** An incident and an event. @param at when the interruption began */
function told(cluster: Cluster, { nodeId, text, code, fix }: Cause, at: number): Effect[] {
  cluster.incidents += 1;
  const number = cluster.incidents;
  const incidents = [...(cluster.lost?.incidents ?? []), number].slice(-MAX_OPEN_INCIDENTS);
  cluster.lost = { ...cluster.lost, at, incidents };
  const node = nodeId === undefined ? undefined : nameOf(cluster, nodeId);
  const { requests } = cluster;
  return [
    { kind: 'incident', report: { number, nodeId, node, code, seen: text, fix, requests } },
    { kind: 'event', level: 'error', text, ...(fix && { fix }) },
  ];
}
