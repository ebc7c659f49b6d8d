// Keeps a draft running on a node of its own while the stages serve: where the plan has it, or elsewhere where that fails.
// Whatever becomes of it, the stages and their requests are left alone.
import type { DraftStats } from '../../protocol/draft.ts';
import { ERRORS, type ErrorCode, isErrorCode } from '../../protocol/errors.ts';
import { LINK_TIMEOUT_MS, LOAD_TIMEOUT_MS } from '../../protocol/limits.ts';
import { bestHop, describeHop, isAmong } from '../links/hop-path.ts';
import { placeDraft } from '../planner/draft-place.ts';
import { plannerNode } from '../planner/from-facts.ts';
import { learnDraft } from '../planner/measurements.ts';
import { requestOver, usableNodes } from './deploying.ts';
import { type DeployedDraft, type DraftInput, endDrafts, endIncidents } from './draft-state.ts';
import { type Cluster, type Deployment, type Effect, isServing, type KnownNode, nameOf } from './state.ts';

/** The agents have deadlines for loading and dialling of their own; these are above them. */
const GRACE_MS = 30_000;
/** Both ends tell of a hop that is lost, and it may be that the first stage is what was lost: that is told meanwhile. */
const GATHER_MS = 250;
/** A node that lost its draft so often within the time below does without it until the time is over. */
const MAX_LOSSES = 3;
const MEMORY_MS = 300_000;
/** Fewer guesses say little of what one takes. */
const MIN_GUESSES_PER_SECOND = 5;
/** Losses of the draft before it is linked again: the first ones say enough. */
const MAX_OPEN_INCIDENTS = 20;
const BACKOFF_MS = [0, 1_000, 5_000, 15_000, 60_000] as const;

/** To be asked again and again while the stages serve. */
export function keepDraft(cluster: Cluster, deployment: Deployment, now: number): Effect[] {
  const { draft } = cluster;
  const { plan, epoch: stagesEpoch } = deployment;
  if (plan.draft?.place !== 'apart') {
    draft.running = undefined;
    draft.isMissed = false;
    return [...endDrafts(cluster, undefined), ...endIncidents(draft, 'the plan does without it')];
  }
  const { running } = draft;
  if (running?.stagesEpoch === stagesEpoch) {
    const why = whyLost(cluster, running, now);
    return why === undefined ? endDrafts(cluster, running.nodeId) : lose(cluster, running, why, now);
  }
  if (now < draft.notBefore) return [];
  const nodeId = chooseNode(cluster, deployment, now);
  if (nodeId === undefined) return nowhere(cluster);
  draft.isMissed = false;
  const head = plan.stages[0]?.nodeId ?? '';
  const rested = cluster.hopPaths.filter((path) => !cluster.mistrust.isWayResting(path, now));
  const hopPath = bestHop(rested, head, nodeId);
  draft.epoch += 1;
  const { epoch } = draft;
  draft.running = {
    ...{ epoch, stagesEpoch, nodeId, state: 'loading', since: now, hopPath },
    ...{ pid: undefined, stats: undefined, unlinked: undefined },
  };
  draft.held.add(nodeId);
  return [
    ...endDrafts(cluster, nodeId),
    { kind: 'draft-deploy', epoch, plan, nodeId, hopHost: hopPath?.listenAddress },
  ];
}

/** What its agent, or that of the first stage, tells. What is said of an earlier draft is of no matter. */
export function draftTold(cluster: Cluster, input: DraftInput, now: number): Effect[] {
  const { running } = cluster.draft;
  if (!running || input.epoch !== running.epoch) return [];
  switch (input.kind) {
    case 'draft-loaded': {
      running.state = 'loaded';
      running.since = now;
      running.pid = input.pid;
      const { hopPath: path, epoch, stagesEpoch } = running;
      // an agent that may not listen where it was asked to listens where the controller reaches it
      const isThere = path !== undefined && path.listenAddress === input.hop.host;
      if (path && !isThere) {
        cluster.mistrust.wayRefused(path, now);
        running.hopPath = undefined;
      }
      const way = isThere
        ? { next: { host: path.dialAddress, port: input.hop.port }, from: path.localAddress }
        : { next: input.hop, from: undefined };
      const nodeId = cluster.deployment?.plan.stages[0]?.nodeId ?? '';
      return [{ kind: 'draft-link', epoch, stagesEpoch, nodeId, ...way }];
    }
    case 'draft-linked':
      running.state = 'linked';
      return nowDrafting(cluster, running);
    case 'draft-stats':
      running.stats = input.stats;
      learnFrom(cluster, running, input.stats);
      return [];
    case 'draft-unlinked':
      running.unlinked ??= { at: now, reason: input.reason };
      // a way on which nothing comes through is better avoided
      if (running.hopPath && input.reason.startsWith('nothing came'))
        cluster.mistrust.waySilent(running.hopPath, now);
      return [];
    case 'draft-failed': {
      // who refuses what is not newer keeps what he has
      if (input.code !== 'old_epoch') cluster.draft.held.delete(running.nodeId);
      const code = isErrorCode(input.code) && input.code !== 'stage_lost' ? input.code : 'draft_lost';
      return lose(cluster, running, `${nameOf(cluster, running.nodeId)}: ${input.message}`, now, code);
    }
  }
}

function learnFrom(cluster: Cluster, { nodeId }: DeployedDraft, stats: DraftStats): void {
  const known = cluster.nodes.get(nodeId);
  if (!known || stats.guessesPerSecond < MIN_GUESSES_PER_SECOND) return;
  const guessMs = (1000 * stats.busyShare) / stats.guessesPerSecond;
  if (guessMs > 0) learnDraft(cluster.measurements, cluster.card, plannerNode(known).chip, guessMs);
}

/**
 * A draft that runs there already, perhaps of an earlier controller: the next one must be newer. Who tells of none may just
 * be told to begin one: where nothing is wanted it is ended in any case, which costs a node without one nothing.
 */
export function draftNodeConnected(
  { draft }: Cluster,
  { node, draftEpoch }: { node: KnownNode; draftEpoch?: number | undefined },
): void {
  if (draftEpoch === undefined) return;
  draft.epoch = Math.max(draft.epoch, draftEpoch);
  draft.held.add(node.facts.id);
}

export function draftNodeLost(
  cluster: Cluster,
  { nodeId, reason }: { nodeId: string; reason: string },
  now: number,
): Effect[] {
  const { running } = cluster.draft;
  if (running?.nodeId !== nodeId) return [];
  return lose(cluster, running, `${nameOf(cluster, nodeId)} is lost: ${reason}`, now);
}

/** Where it should run now: where the plan has it, as long as that goes well, and where it is the best otherwise. */
function chooseNode(cluster: Cluster, { plan }: Deployment, now: number): string | undefined {
  const isGood = (nodeId: string) => recentLosses(cluster, nodeId, now) < MAX_LOSSES;
  const nodes = usableNodes(cluster, now).filter(({ facts }) => isGood(facts.id));
  const planned = plan.draft?.nodeId;
  if (nodes.some(({ facts }) => facts.id === planned)) return planned;
  const stages = plan.stages.map(({ nodeId }) => cluster.nodes.get(nodeId));
  const all = new Set([...nodes, ...stages.filter((node) => node !== undefined)]);
  const request = requestOver(cluster, [...all]);
  const { draft: _, ...rest } = plan;
  const isAllowed = (id: string) => nodes.some(({ facts }) => facts.id === id);
  return placeDraft(request, rest, { isAllowed, keepsKv: true })?.draft?.nodeId;
}

function whyLost(cluster: Cluster, running: DeployedDraft, now: number): string | undefined {
  const { state, since, unlinked, nodeId, hopPath } = running;
  const name = nameOf(cluster, nodeId);
  if (cluster.drained.has(nodeId)) return `${name} is drained`;
  if (unlinked && now - unlinked.at >= GATHER_MS)
    return `the hop to the draft on ${name} is lost${hopPath ? ` (${describeHop(hopPath)})` : ''}: ${unlinked.reason}`;
  // its sockets may not notice for a long time
  if (hopPath && !isAmong(cluster.hopPaths, hopPath))
    return `the link to the draft on ${name} is gone: ${describeHop(hopPath)}`;
  const limitMs = GRACE_MS + (state === 'loading' ? LOAD_TIMEOUT_MS : LINK_TIMEOUT_MS);
  if (state === 'linked' || now - since <= limitMs) return undefined;
  return `the draft on ${name} did not ${state === 'loading' ? 'load' : 'link'} in time`;
}

/** It is gone, or of no use: the next one is begun when it is due. */
function lose(
  cluster: Cluster,
  running: DeployedDraft,
  text: string,
  now: number,
  code: ErrorCode = 'draft_lost',
): Effect[] {
  const { draft, deployment } = cluster;
  const { nodeId } = running;
  draft.running = undefined;
  // with the stages it is begun anew in any case
  const isOwn = deployment?.epoch === running.stagesEpoch && isServing(deployment);
  if (!isOwn) return [];
  const isDrained = cluster.drained.has(nodeId);
  if (isDrained) return [{ kind: 'event', level: 'info', text: `the draft moves: ${text}` }];
  const times = [...(draft.losses.get(nodeId) ?? []).filter((at) => now - at < MEMORY_MS), now];
  draft.losses.set(nodeId, times);
  const backoffMs = BACKOFF_MS[Math.min(times.length, BACKOFF_MS.length) - 1] ?? 0;
  draft.notBefore = now + backoffMs;
  cluster.incidents += 1;
  const number = cluster.incidents;
  draft.incidents = [...draft.incidents, number].slice(-MAX_OPEN_INCIDENTS);
  const { solve: fix } = ERRORS[code];
  const node = nameOf(cluster, nodeId);
  return [
    {
      kind: 'incident',
      // none of them waits for it
      report: { number, nodeId, node, code, seen: text, fix, requests: 0 },
    },
    { kind: 'event', level: 'warn', text, fix },
  ];
}

function nowDrafting(cluster: Cluster, { nodeId }: DeployedDraft): Effect[] {
  const { draft } = cluster;
  const text = `the draft guesses on ${nameOf(cluster, nodeId)}`;
  return [{ kind: 'event', level: 'info', text }, ...endIncidents(draft, `${text}; no stream paused`)];
}

/** Said once. What still runs somewhere ends: its node is drained, or lost too many of them. */
function nowhere(cluster: Cluster): Effect[] {
  const { draft, card } = cluster;
  const ended = endDrafts(cluster, undefined);
  if (draft.isMissed) return ended;
  draft.isMissed = true;
  const text = `no node can run the draft of ${card.id} now: it is guessed for without one`;
  return [...ended, { kind: 'event', level: 'warn', text }];
}

function recentLosses({ draft }: Cluster, nodeId: string, now: number): number {
  return (draft.losses.get(nodeId) ?? []).filter((at) => now - at < MEMORY_MS).length;
}
