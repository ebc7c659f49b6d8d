// The heart of the controller, without I/O: one event in, a new state and effects out. Here is only which part takes
// which event: deploying.ts makes plans real, losing.ts ends them.
import type { HeldStage } from '../../protocol/stage.ts';
import { measuredLinks } from '../links/measured-links.ts';
import { plannerNode } from '../planner/from-facts.ts';
import { learn, learnDraft } from '../planner/measurements.ts';
import { linkWhenLoaded, nowServing, reconsider, tryToPlan } from './deploying.ts';
import { draftNodeConnected, draftNodeLost, draftTold, keepDraft } from './drafting.ts';
import { drain, leaveFetch, moveFromDrained, undrain } from './draining.ts';
import { nodeEngine } from './engine.ts';
import {
  deployFailed,
  hopsGone,
  lateDeployment,
  nodeLost,
  nodeStartedAnew,
  silentStage,
  stageFailed,
  stageFailedLate,
  stageUnlinked,
} from './losing.ts';
import {
  type Cluster,
  type ClusterInput,
  type DeployedStage,
  type Deployment,
  type Effect,
  isServing,
  type KnownNode,
  stageOf,
} from './state.ts';
import { modelChosen } from './switching.ts';

/**
 * Takes one event. Changes `cluster` in place.
 * @param now milliseconds on a clock that never jumps
 * @returns what is to be done, in order
 */
export function advance(cluster: Cluster, input: ClusterInput, now: number): Effect[] {
  switch (input.kind) {
    case 'node-connected':
      draftNodeConnected(cluster, input);
      return [...nodeConnected(cluster, input.node, input.held, now), ...tick(cluster, now)];
    case 'node-machine': {
      const node = cluster.nodes.get(input.nodeId);
      if (node) node.machine = input.machine;
      return [];
    }
    case 'node-engine':
      return [...nodeEngine(cluster, input.nodeId, input.engine), ...tick(cluster, now)];
    case 'node-lost':
      return [...nodeLost(cluster, input, now), ...draftNodeLost(cluster, input, now)];
    case 'node-forgotten':
      cluster.nodes.delete(input.nodeId);
      cluster.held.delete(input.nodeId);
      cluster.mayHold.delete(input.nodeId);
      cluster.drained.delete(input.nodeId);
      return leavePlaces(cluster);
    case 'fetching':
    case 'fetched': {
      const { deployment } = cluster;
      if (deployment?.epoch === input.epoch)
        deployment.loadingSince = input.kind === 'fetched' ? now : undefined;
      return [];
    }
    case 'deploy-failed':
      return cluster.deployment?.epoch === input.epoch ? deployFailed(cluster, input, now) : [];
    case 'stage-progress':
      return onStage(cluster, input, (stage) => {
        stage.progress = { layers: input.layers, ofLayers: input.ofLayers };
        return [];
      });
    case 'stage-loaded':
      return onStage(cluster, input, (stage, deployment) => {
        const { hop, pid, weightBytes, readLayers, kvEpoch } = input;
        Object.assign(stage, { state: 'loaded', hop, pid, weightBytes, readLayers, kvEpoch, heardAt: now });
        // an agent that may not listen where it was asked to listens where the controller reaches it
        if (stage.hopPath && stage.hopPath.listenAddress !== hop.host) {
          cluster.mistrust.wayRefused(stage.hopPath, now);
          stage.hopPath = undefined;
        }
        holds(cluster, deployment, stage);
        return linkWhenLoaded(cluster, deployment, now);
      });
    case 'stage-linked':
      return onStage(cluster, input, (stage, deployment) => {
        stage.state = 'linked';
        stage.heardAt = now;
        return isServing(deployment) ? nowServing(cluster, deployment, now) : [];
      });
    case 'stage-unlinked':
      return onStage(cluster, input, (stage, deployment) =>
        stageUnlinked(cluster, { deployment, stage, ...input }, now),
      );
    case 'stage-failed':
      return [
        ...stageFailedLate(cluster, input, now),
        ...onStage(cluster, input, (stage, deployment) =>
          stageFailed(cluster, { deployment, stage, ...input }, now),
        ),
      ];
    case 'stats':
      return onStage(cluster, input, (stage, deployment) => {
        learnFrom(cluster, deployment, stage, input.stats);
        stage.stats = input.stats;
        // of tensor parallel, a rank reads its part only once the ranks have met
        if (input.stats.weightBytes > 0) stage.weightBytes = input.stats.weightBytes;
        stage.heardAt = now;
        stage.stepTimeMs = input.stats.stepTimeMs ?? stage.stepTimeMs;
        stage.stepWaitMs = input.stats.stepWaitMs ?? stage.stepWaitMs;
        return [];
      });
    case 'draft-loaded':
    case 'draft-failed':
    case 'draft-linked':
    case 'draft-unlinked':
    case 'draft-stats':
      return draftTold(cluster, input, now);
    case 'requests':
      cluster.requests = input.count;
      cluster.lastBusyAt = now;
      return [];
    case 'links':
      cluster.hopPaths = input.paths;
      cluster.links = measuredLinks(input.paths);
      cluster.unlinked = input.unlinked ?? [];
      cluster.linksPending = input.isPending;
      return [...hopsGone(cluster, now), ...tick(cluster, now)];
    case 'drain':
      return [...drain(cluster, input), ...tick(cluster, now)];
    case 'undrain':
      return [...undrain(cluster, input.nodeId), ...tick(cluster, now)];
    case 'model':
      return [...modelChosen(cluster, input, now), ...tick(cluster, now)];
    case 'tick':
      return tick(cluster, now);
  }
}

/**
 * A node that is none of the cluster's any more must not be spoken to any longer, whether or not another plan follows. Where
 * a deployment is left, it was none of it.
 */
function leavePlaces({ deployment, held, nodes }: Cluster): Effect[] {
  if (deployment) return [];
  return [...held].flatMap(([nodeId, { epoch }]) =>
    nodes.get(nodeId)?.connected ? { kind: 'leave', epoch, nodeId } : [],
  );
}

function nodeConnected(cluster: Cluster, node: KnownNode, held: HeldStage | null, now: number): Effect[] {
  const { id, name } = node.facts;
  const before = cluster.nodes.get(id);
  cluster.nodes.set(id, node);
  cluster.firstNodeAt ??= now;
  cluster.lastNodeAt = now;
  if (held) cluster.held.set(id, held);
  else cluster.held.delete(id);
  // an agent takes no deployment that is older than what it has
  if (held && !cluster.deployment) cluster.epoch = Math.max(cluster.epoch, held.epoch);
  const told: Effect = {
    kind: 'event',
    level: 'info',
    text: `${name} is ${before ? 'back' : `found by ${node.foundBy}`}`,
  };
  return before?.connected ? [told, ...nodeStartedAnew(cluster, node, before, now)] : [told];
}

function holds(cluster: Cluster, { epoch, plan }: Deployment, { nodeId }: DeployedStage): void {
  const place = plan.stages.find((stage) => stage.nodeId === nodeId);
  if (!place) return;
  const { index, range } = place;
  const { modelFingerprint } = cluster;
  cluster.held.set(nodeId, { epoch, index, stageCount: plan.stages.length, range, modelFingerprint });
}

/** Events of a stage count only for the deployment that it belongs to. */
function onStage(
  cluster: Cluster,
  input: { nodeId: string; epoch: number },
  change: (stage: DeployedStage, deployment: Deployment) => Effect[],
): Effect[] {
  const { deployment } = cluster;
  const stage = stageOf(cluster, input.nodeId);
  if (!deployment || !stage || deployment.epoch !== input.epoch) return [];
  return change(stage, deployment);
}

/** How many guesses of the draft a stage has told of. */
function draftsOf(stats: DeployedStage['stats']): number {
  return stats?.guesses?.totals.find(({ source }) => source === 'draft')?.sent ?? 0;
}

function learnFrom(
  cluster: Cluster,
  deployment: Deployment,
  stage: DeployedStage,
  stats: NonNullable<DeployedStage['stats']>,
): void {
  const place = deployment.plan.stages.find(({ nodeId }) => nodeId === stage.nodeId);
  const known = cluster.nodes.get(stage.nodeId);
  // what MLX Distributed takes for a layer says nothing of what our stages take
  if (!place || !known || deployment.plan.engine !== 'node-mlx') return;
  const node = plannerNode(known);
  const guessMs = deployment.plan.draft?.place === 'head' ? stats.guesses?.draftGuessMs : undefined;
  // an idle stage tells the same again and again
  if (guessMs && draftsOf(stats) > draftsOf(stage.stats))
    learnDraft(cluster.measurements, cluster.card, node.chip, guessMs);
  learn(cluster.measurements, cluster.card, { node, range: place.range }, stage.stats, stats);
}

function tick(cluster: Cluster, now: number): Effect[] {
  const { deployment } = cluster;
  if (!deployment) return tryToPlan(cluster, now);
  const lost = [...silentStage(cluster, deployment, now), ...lateDeployment(cluster, deployment, now)];
  if (lost.length > 0) return lost;
  if (deployment.loadingSince === undefined) return leaveFetch(cluster, deployment, now);
  if (!isServing(deployment)) return [];
  const drafting = keepDraft(cluster, deployment, now);
  const moving = moveFromDrained(cluster, deployment, now) ?? reconsider(cluster, deployment, now);
  return [...drafting, ...moving];
}
