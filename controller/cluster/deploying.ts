// From a plan to a cluster that serves: when to plan and over whom, what each stage is told, and when a better plan
// takes the place of the one in force.
import { isIPv4 } from 'node:net';
import { EspalierError } from '../../protocol/errors.ts';
import { LINKS_WAIT_MS } from '../../protocol/limits.ts';
import type { HostPort } from '../../protocol/node.ts';
import { formatRange, type Plan } from '../../protocol/plan.ts';
import type { HeldStage } from '../../protocol/stage.ts';
import { bestHop, fasterHop, type HopPath } from '../links/hop-path.ts';
import { diallerOf } from '../mlx-distributed/ranks.ts';
import type { PlanRequest } from '../planner/inputs.ts';
import { planRequest } from '../planning.ts';
import { endDrafts } from './draft-state.ts';
import { linkRanks, waitsForEngine } from './engine.ts';
import {
  type Cluster,
  connectedNodes,
  type DeployedStage,
  type Deployment,
  type Effect,
  isRecovering,
  type KnownNode,
  nameOf,
  type SavedDeployment,
} from './state.ts';

/** Without a wanted number, a plan waits until no new node has come for this long. */
const SETTLE_MS = 3_000;
/** A controller that was started anew waits this long for the nodes of its last deployment before it plans without them. */
const ADOPT_WAIT_MS = 3_000;
/** Without any node for this long, requests do not wait any more. */
const NOBODY_MS = 5_000;
/** What failed by itself more often is planned anew. */
const MAX_TRIES = 2;
/** A better plan is taken when the cluster has been idle for this long. */
const IDLE_MS = 2_000;

/** Deploys again what was there before where that is possible, and the best plan over the nodes that are there otherwise. */
export function tryToPlan(cluster: Cluster, now: number): Effect[] {
  if (now < cluster.planNotBefore) return [];
  if (connectedNodes(cluster).length === 0) return nobodyLeft(cluster, now);
  if (waitsForEngine(cluster, isRecovering(cluster), now)) return [];
  const again = deployAgain(cluster, now);
  if (again) return deploy(cluster, again, now);
  const isFirst = !cluster.hasServed;
  if (isFirst && cluster.previous && now - (cluster.firstNodeAt ?? now) < ADOPT_WAIT_MS) return [];
  if (!isRecovering(cluster) && !isSettled(cluster, now)) return [];
  try {
    const plan = bestPlan(cluster, now);
    return plan ? deploy(cluster, plan, now) : [];
  } catch (error) {
    if (!(error instanceof EspalierError)) throw error;
    return impossible(cluster, error);
  }
}

/** The plan that served before, where it is worth another try. */
export function deployAgain(cluster: Cluster, now: number): Plan | undefined {
  const { previous, failures } = cluster;
  return previous && failures <= MAX_TRIES && canDeployAgain(cluster, previous, now)
    ? previous.plan
    : undefined;
}

/** Whoever waits is told, after a moment in which the network itself may come back. */
function nobodyLeft(cluster: Cluster, now: number): Effect[] {
  if (!cluster.lost || now - cluster.lost.at < NOBODY_MS) return [];
  return impossible(cluster, new EspalierError('not_enough_nodes', 'no node is connected'));
}

function isSettled(cluster: Cluster, now: number): boolean {
  const { wantedNodes, hasServed, lastNodeAt } = cluster;
  // those that are drained or rest are there: nobody else is waited for
  if (!hasServed && wantedNodes !== undefined && connectedNodes(cluster).length < wantedNodes) return false;
  if (wantedNodes === undefined && now - lastNodeAt < SETTLE_MS) return false;
  return !waitsForLinks(cluster, now);
}

/** Nodes that are there, trusted, and reach each other: their stages are moved, and most of them need to read nothing. */
function canDeployAgain(cluster: Cluster, { epoch, plan }: SavedDeployment, now: number): boolean {
  const isThere = plan.stages.every(({ nodeId, range }) => {
    if (!cluster.nodes.get(nodeId)?.connected) return false;
    // after a restart of the controller only what is loaded is worth it; after a loss, one of them may read again
    return cluster.hasServed || isSame(cluster.held.get(nodeId), { epoch, range }, cluster.modelFingerprint);
  });
  if (!isThere) return false;
  if (plan.stages.some(({ nodeId }) => cluster.drained.has(nodeId))) return false;
  if (cluster.hasServed && plan.stages.some(({ nodeId }) => isLeftOut(cluster, nodeId, now))) return false;
  return plan.stages.every(({ nodeId }, index) => {
    const dialler = diallerOf(plan, index);
    if (!dialler || dialler.nodeId === nodeId) return true;
    const isMeasured = cluster.hopPaths.some(({ from, to }) => from === dialler.nodeId && to === nodeId);
    if (isMeasured) return wayTo(cluster, plan, index, now) !== undefined;
    return cluster.hopPaths.length === 0 || !cluster.hasServed;
  });
}

function isSame(
  held: HeldStage | undefined,
  place: Pick<HeldStage, 'epoch' | 'range'>,
  fingerprint: string,
): boolean {
  return (
    held?.epoch === place.epoch &&
    held.modelFingerprint === fingerprint &&
    held.range.start === place.range.start &&
    held.range.end === place.range.end
  );
}

/** It failed too often, or could not be loaded; a node that was merely lost and is back is welcome to what it holds. */
function isLeftOut(cluster: Cluster, nodeId: string, now: number): boolean {
  return !cluster.held.has(nodeId) && cluster.mistrust.isNodeResting(nodeId, now);
}

/** A plan is only as good as what is known of the links; but nobody waits for ever. */
function waitsForLinks(cluster: Cluster, now: number): boolean {
  return cluster.linksPending && now - cluster.lastNodeAt < LINKS_WAIT_MS;
}

/** The nodes that a plan may use: those that do not rest, or all where nobody else is there; never a drained one. */
export function usableNodes(cluster: Cluster, now: number): KnownNode[] {
  const here = plannableNodes(cluster);
  const rested = here.filter(({ facts }) => !cluster.mistrust.isNodeResting(facts.id, now));
  return rested.length > 0 ? rested : here;
}

/**
 * The best plan over the nodes that can be relied on, or over all where these cannot hold the model.
 * @returns undefined while it is thought about
 * @throws EspalierError not_enough_nodes, bad_option
 */
function bestPlan(cluster: Cluster, now: number): Plan | undefined {
  const { memo, lastResort, epoch, previous } = cluster;
  const usable = usableNodes(cluster, now);
  const all = plannableNodes(cluster);
  if (all.length === 0) {
    const message = 'every node that is connected is drained: give one back (`d` in the dashboard)';
    throw new EspalierError('not_enough_nodes', message);
  }
  try {
    return memo.plan(epoch, requestOver(cluster, usable), previous?.plan)?.plan;
  } catch (error) {
    if (!(error instanceof EspalierError) || usable.length === all.length) throw error;
    return lastResort.plan(epoch, requestOver(cluster, all), previous?.plan)?.plan;
  }
}

function plannableNodes(cluster: Cluster): KnownNode[] {
  return connectedNodes(cluster).filter(({ facts }) => !cluster.drained.has(facts.id));
}

export function requestOver(cluster: Cluster, nodes: readonly KnownNode[]): PlanRequest {
  const { card, planning, links, unlinked, measurements, wantedNodes } = cluster;
  return planRequest(card, { nodes, links, unlinked, measurements }, planning, wantedNodes);
}

/** The question that the plan in force answers, with what is known today; undefined while there is none. */
export function requestInForce(cluster: Cluster): PlanRequest | undefined {
  const { deployment } = cluster;
  if (!deployment) return undefined;
  const isPart = ({ facts }: KnownNode) => deployment.plan.stages.some(({ nodeId }) => nodeId === facts.id);
  const nodes = [...cluster.nodes.values()].filter((node) => node.connected || isPart(node));
  return requestOver(cluster, nodes);
}

/** No plan: whoever waits is told what is missing. Told once, until something changes. */
function impossible(cluster: Cluster, error: EspalierError): Effect[] {
  const isNew = cluster.reason !== error.message;
  const { lost } = cluster;
  cluster.reason = error.message;
  cluster.failure = error.code;
  cluster.lost = undefined;
  const effects: Effect[] = [];
  if (lost) {
    if (cluster.requests > 0)
      effects.push({ kind: 'fail-requests', code: error.code, message: error.message });
    effects.push({
      kind: 'incident-over',
      outcome: {
        numbers: lost.incidents,
        outcome: 'impossible',
        done: error.message,
        ...{ planMs: undefined, loadMs: undefined, linkMs: undefined },
      },
    });
  }
  if (isNew) effects.push({ kind: 'event', level: 'error', text: error.message, fix: error.solve });
  return effects;
}

/** The fastest measured way that does not rest, from the stage that dials to the one at `index`. */
function wayTo(cluster: Cluster, plan: Plan, index: number, now: number): HopPath | undefined {
  const nodeId = plan.stages[index]?.nodeId ?? '';
  return bestHop(restedWays(cluster, plan, now), diallerOf(plan, index)?.nodeId ?? nodeId, nodeId);
}

function restedWays({ hopPaths, mistrust }: Cluster, { engine }: Plan, now: number): HopPath[] {
  const rested = hopPaths.filter((path) => !mistrust.isWayResting(path, now));
  // MLX's ring knows no IPv6
  return engine === 'mlx-distributed' ? rested.filter(({ listenAddress }) => isIPv4(listenAddress)) : rested;
}

export function deploy(cluster: Cluster, plan: Plan, now: number): Effect[] {
  const hopPaths = plan.stages.map((_, index) => wayTo(cluster, plan, index, now));
  // agents take no epoch that is not newer than what they were told, be it by an earlier controller
  cluster.epoch = Math.max(cluster.epoch, ...[...cluster.held.values()].map((held) => held.epoch)) + 1;
  const { epoch } = cluster;
  cluster.deployment = {
    epoch,
    plan,
    since: now,
    loadingSince: now,
    loadedAt: undefined,
    servingSince: undefined,
    stages: plan.stages.map((stage, index) => ({
      nodeId: stage.nodeId,
      state: 'loading',
      hop: undefined,
      hopPath: hopPaths[index],
      pid: undefined,
      weightBytes: stage.weightBytes,
      progress: undefined,
      readLayers: undefined,
      kvEpoch: null,
      stats: undefined,
      heardAt: now,
      stepTimeMs: undefined,
    })),
  };
  const text = `deploying ${cluster.card.id} on ${plan.stages.length} node${plan.stages.length === 1 ? '' : 's'}`;
  const hopHosts = hopPaths.map((path) => path?.listenAddress);
  for (const { nodeId } of plan.stages) cluster.mayHold.add(nodeId);
  return [
    { kind: 'event', level: 'info', text },
    ...endOthers(cluster, plan),
    // a draft may have the memory that a stage needs
    ...endDrafts(cluster, plan.draft?.place === 'apart' ? plan.draft.nodeId : undefined),
    { kind: 'deploy', epoch, plan, hopHosts },
  ];
}

/**
 * Nodes that hold a stage of an earlier deployment, or may, and have no part in this one free their memory.
 * @param mayEnd which of them
 */
function endOthers(cluster: Cluster, plan: Plan, mayEnd: (nodeId: string) => boolean = () => true): Effect[] {
  const { held, mayHold, nodes } = cluster;
  const effects: Effect[] = [];
  for (const nodeId of new Set([...held.keys(), ...mayHold])) {
    if (plan.stages.some((stage) => stage.nodeId === nodeId) || !mayEnd(nodeId)) continue;
    // whatever it was told last: that may be newer than what it said to have loaded
    const epoch = Math.max(cluster.epoch - 1, held.get(nodeId)?.epoch ?? 0);
    held.delete(nodeId);
    if (!nodes.get(nodeId)?.connected) continue;
    mayHold.delete(nodeId);
    effects.push({ kind: 'undeploy', epoch, nodeId });
  }
  return effects;
}

export function linkWhenLoaded(cluster: Cluster, deployment: Deployment, now: number): Effect[] {
  const { stages, epoch } = deployment;
  if (!stages.every((stage) => stage.state === 'loaded')) return [];
  deployment.loadedAt = now;
  if (deployment.plan.engine === 'mlx-distributed') return linkRanks(cluster, deployment);
  // KV of some layers is of no use without that of the others, of the very same steps
  const [first] = stages;
  const keepsKv = first?.kvEpoch !== null && stages.every(({ kvEpoch }) => kvEpoch === first?.kvEpoch);
  return stages.map((stage, index) => {
    const next = stages[(index + 1) % stages.length] as DeployedStage;
    const hop = next.hop as HostPort;
    const { hopPath: path } = next;
    const way = path
      ? { next: { host: path.dialAddress, port: hop.port }, from: path.localAddress }
      : { next: hop, from: undefined };
    return { kind: 'link', epoch, nodeId: stage.nodeId, ...way, keepsKv };
  });
}

export function nowServing(cluster: Cluster, deployment: Deployment, now: number): Effect[] {
  const { lost } = cluster;
  const { epoch, plan, since, loadedAt, stages } = deployment;
  cluster.hasServed = true;
  cluster.reason = undefined;
  cluster.failure = undefined;
  cluster.lost = undefined;
  cluster.previous = { epoch, plan };
  deployment.servingSince = now;
  const text = `serving ${cluster.card.id}: ${placesText(cluster, plan)}`;
  const effects: Effect[] = [
    { kind: 'event', level: 'info', text },
    { kind: 'save', deployment: cluster.previous },
  ];
  if (lost) {
    const read = stages.reduce((sum, { readLayers }) => sum + (readLayers ?? 0), 0);
    const done = `${text}; ${read} layers were read from the disk`;
    effects.push({
      kind: 'incident-over',
      outcome: {
        numbers: lost.incidents,
        outcome: 'serving',
        done,
        planMs: since - lost.at,
        loadMs: loadedAt === undefined ? undefined : loadedAt - since,
        linkMs: loadedAt === undefined ? undefined : now - loadedAt,
      },
    });
  }
  if (cluster.requests > 0) effects.push({ kind: 'resume-requests' });
  return effects;
}

/** No request has run for a while, and nobody has just come. */
export function isIdle({ requests, lastBusyAt, lastNodeAt }: Cluster, now: number): boolean {
  return requests === 0 && now - Math.max(lastBusyAt, lastNodeAt) >= IDLE_MS;
}

function placesText(cluster: Cluster, { stages, engine, split }: Plan): string {
  const names = stages.map(({ nodeId }) => nameOf(cluster, nodeId));
  if (split === 'tensor') return `a part of each layer on ${names.join(', ')} (MLX Distributed)`;
  const parts = stages.map(({ range }, index) => `${names[index]} ${formatRange(range)}`);
  return `layers ${parts.join(' → ')}${engine === 'mlx-distributed' ? ' (MLX Distributed)' : ''}`;
}

/** A node that came back or late, and a new cable, are made use of when nobody is disturbed and the plan gets better. */
export function reconsider(cluster: Cluster, deployment: Deployment, now: number): Effect[] {
  if (!isIdle(cluster, now) || waitsForLinks(cluster, now)) return [];
  // whoever serves is reckoned with, also while it would be left out of a new plan
  const usable = new Set([...usableNodes(cluster, now), ...servingNodes(cluster, deployment)]);
  const request = requestOver(cluster, [...usable]);
  const better = cluster.memo.betterPlan(cluster.epoch, request, deployment.plan);
  const plan = better === 'none' ? undefined : better?.plan;
  if (plan || hasFasterHop(cluster, deployment, now)) {
    cluster.deployment = undefined;
    return deploy(cluster, plan ?? deployment.plan, now);
  }
  if (better !== 'none') return [];
  // who is back and of no use keeps nothing; who only rests is looked at again
  return endOthers(cluster, deployment.plan, (nodeId) => !cluster.mistrust.isNodeResting(nodeId, now));
}

function servingNodes(cluster: Cluster, { stages }: Deployment): KnownNode[] {
  return plannableNodes(cluster).filter(({ facts }) => stages.some(({ nodeId }) => nodeId === facts.id));
}

/**
 * The same stages over another cable: they need to read nothing, and keep their KV. Ranks of MLX read all of their weights
 * again: there, it takes a plan that gains enough by the cable.
 */
function hasFasterHop(cluster: Cluster, { stages, plan }: Deployment, now: number): boolean {
  if (plan.engine === 'mlx-distributed') return false;
  const rested = restedWays(cluster, plan, now);
  return stages.some(({ nodeId, hop, hopPath }, index) => {
    const from = diallerOf(plan, index)?.nodeId ?? nodeId;
    return fasterHop(rested, hopPath ?? { from, to: nodeId, listenAddress: hop?.host ?? '' }) !== undefined;
  });
}
