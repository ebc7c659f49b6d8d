// Which engine a plan is for: node-mlx's pipeline, MLX's pipeline or MLX's tensor parallelism. Pure: all that are possible
// are predicted by the same cost model, and the fastest is taken, with its reason in words.
import { EspalierError } from '../../protocol/errors.ts';
import type { EngineName, LayerRange, Link, Plan } from '../../protocol/plan.ts';
import type { Split } from '../../protocol/ranks.ts';
import { ONE_ROW, TYPICAL_CONTEXT_TOKENS } from './cost.ts';
import type { PlannerNode, PlanRequest } from './inputs.ts';
import { linkTable } from './links.ts';
import { askedKvTokens, kvTokenBytes, roomBytes, scratchBytes } from './memory.ts';
import { type FoundPlan, findPlan, noPlan } from './planner.ts';
import { predictPlan } from './predict-plan.ts';
import { tensorBytes, tensorFits, tensorStepMs } from './tensor.ts';
import { listed, rate } from './words.ts';

interface Candidate {
  found: FoundPlan;
  /** generated tokens a second of what the goal is about */
  speed: number;
}

/** A loaded cluster does not change its engine for less: both predictions are estimates. */
const MIN_GAIN_SHARE = 0.1;

/**
 * The plan of the engine that is wished for, or of the fastest.
 * @param isLast whether streams go on with it: then the other split is better than none
 * @returns undefined where none holds
 * @throws EspalierError engine_not_installed, bad_option
 */
export function findEnginePlan(request: PlanRequest, isLast = false): FoundPlan | undefined {
  const wish = request.engine;
  const nobodyHasMlx = wish?.choice === 'auto' && wish.readyNodes.length === 0;
  if (!wish || wish.choice === 'node-mlx' || nobodyHasMlx) return findPlan(request);
  const ready = request.nodes.filter(({ id }) => wish.readyNodes.includes(id));
  const lacking = request.nodes.filter(({ id }) => !wish.readyNodes.includes(id)).map(({ name }) => name);
  const onMlx = { ...request, nodes: ready };
  const ours = wish.choice === 'auto' ? candidateOf(request, findPlan(request)) : undefined;
  const others = [
    wish.split === 'tensor' ? undefined : candidateOf(onMlx, pipelinePlan(onMlx)),
    wish.split === 'pipeline' ? undefined : candidateOf(onMlx, tensorPlan(onMlx)),
  ].filter((candidate) => candidate !== undefined);
  const [best] = others.sort((a, b) => b.speed - a.speed);
  if (ours && (!best || best.speed < ours.speed * (1 + MIN_GAIN_SHARE))) {
    return withReason(ours, against(ours, best, lacking, request));
  }
  if (best) return withReason(best, ours ? against(best, ours, [], request) : 'it was asked for');
  if (lacking.length > 0 && !ours)
    throw new EspalierError('engine_not_installed', `${listed(lacking)} has no MLX Distributed`);
  if (wish.split !== 'tensor') return undefined;
  const instead = isLast ? candidateOf(onMlx, pipelinePlan(onMlx)) : undefined;
  if (!instead) throw noTensor(onMlx);
  return withReason(
    instead,
    'tensor parallelism was asked for, and the nodes that are left cannot share the heads',
  );
}

/** Why there is no plan for a request, and what would do: not_enough_nodes, nodes_unlinked. */
export function noEnginePlan(request: PlanRequest): EspalierError {
  const { engine, nodes } = request;
  if (engine?.choice !== 'mlx-distributed') return noPlan(request);
  return noPlan(asRanks({ ...request, nodes: nodes.filter(({ id }) => engine.readyNodes.includes(id)) }));
}

/** Whether a plan is predicted to be faster than the one in force by enough to load weights anew. */
export function isFaster(request: PlanRequest, plan: Plan, inForce: Plan): boolean {
  if (!inForce.stages.every(({ nodeId }) => request.nodes.some(({ id }) => id === nodeId))) return true;
  const today = withTodaysFigures(request, inForce);
  return speedOf(request, plan) > speedOf(request, today) * (1 + MIN_GAIN_SHARE);
}

/** A ring stays on the links that it has, but what these are worth is measured anew, and never twice the same. */
function withTodaysFigures(request: PlanRequest, plan: Plan): Plan {
  const { stages } = plan;
  const between = linkTable(request.links, request.otherLink, request.unlinked);
  const links = plan.links.map((link, i) => {
    const [from, to] = [stages[i], stages[(i + 1) % stages.length]];
    const now = from && to ? fastestFirst(between(from.nodeId, to.nodeId)) : [];
    // one that nobody had measured may be any of them
    const isIt = ({ label }: Link) => link.source === 'estimate' || label === link.label;
    return now.find(isIt) ?? link;
  });
  return { ...plan, links };
}

/** By the table's estimates alone: what was measured of one engine says nothing of the other. */
function speedOf(measured: PlanRequest, plan: Plan): number {
  const request = { ...measured, nodes: measured.nodes.map(({ measured: _, ...node }) => node) };
  const streams = request.goal === 'latency' ? 1 : Math.max(request.streams, plan.stages.length);
  return predictPlan(request, plan, streams, TYPICAL_CONTEXT_TOKENS);
}

function candidateOf(request: PlanRequest, found: FoundPlan | undefined): Candidate | undefined {
  return found && { found, speed: speedOf(request, found.plan) };
}

/** The same split of layers; but every rank has embedding, norm and head. */
function pipelinePlan(request: PlanRequest): FoundPlan | undefined {
  const { embeddingBytes, headBytes } = request.card;
  const found = request.nodes.length > 0 ? findPlan(asRanks(request)) : undefined;
  if (!found) return undefined;
  const stages = found.plan.stages.map((stage) => ({
    ...stage,
    weightBytes: layersBytes(request.card, stage.range) + embeddingBytes + headBytes,
  }));
  return { ...found, plan: { ...found.plan, engine: 'mlx-distributed', split: 'pipeline', stages } };
}

/**
 * Embedding and head are on every rank, and every rank computes the head: neither decides who gets which layers. And ranks
 * guess nothing ahead.
 */
function asRanks(request: PlanRequest): PlanRequest {
  const { draft: _, ...card } = request.card;
  const { embeddingBytes, headBytes } = card;
  const nodes = request.nodes.map((node) => ({
    ...node,
    usableBytes: node.usableBytes - embeddingBytes - headBytes,
  }));
  return { ...request, nodes, guessYield: 0, card: { ...card, embeddingBytes: 0, headBytes: 0 } };
}

function layersBytes({ layerBytes }: PlanRequest['card'], { start, end }: LayerRange): number {
  return layerBytes.slice(start, end).reduce((sum, bytes) => sum + bytes, 0);
}

/** All nodes that share the heads evenly, the fastest first: each slower one holds all others up. */
function tensorPlan(request: PlanRequest): FoundPlan | undefined {
  const { card, goal, streams, contextTokens } = request;
  const sorted = [...request.nodes].sort((a, b) => b.bandwidthGBps - a.bandwidthGBps);
  const kvTokens = askedKvTokens(request);
  let best: { nodes: PlannerNode[]; links: Link[]; ms: number } | undefined;
  for (let count = 2; count <= Math.min(sorted.length, request.maxStages ?? sorted.length); count++) {
    const nodes = sorted.slice(0, count);
    if (card.attentionHeads % count !== 0 || !tensorFits(card, nodes, kvTokens)) continue;
    const links = ringLinks(request, nodes);
    if (!links) continue;
    const ms = tensorStepMs(card, nodes, links, ONE_ROW);
    if (!best || ms < best.ms) best = { nodes, links, ms };
  }
  if (!best) return undefined;
  const { nodes, links, ms } = best;
  const held = tensorBytes(card, nodes.length);
  const room = Math.min(
    ...nodes.map((node) => (roomBytes(node) - held) / kvTokenBytes(card, node, card.layerCount)),
  );
  const kvRoom = Math.max(kvTokens, Math.floor(Math.min(room, card.contextTokens) / 256) * 256);
  const plan: Plan = {
    engine: 'mlx-distributed',
    split: 'tensor',
    modelId: card.id,
    goal,
    streams,
    contextTokens,
    stages: nodes.map(({ id }, index) => ({
      index,
      nodeId: id,
      range: { start: 0, end: card.layerCount },
      weightBytes: held,
    })),
    links,
    prefillBytes: Math.min(...nodes.map(scratchBytes)),
    kvTokens: kvRoom,
  };
  const ns = ms * 1e6;
  return { plan, sumNs: ns, maxNs: ns, tokenNs: ns, isExact: false };
}

/** The fastest link between each two neighbours of the ring; undefined where two have none. */
function ringLinks(request: PlanRequest, nodes: readonly PlannerNode[]): Link[] | undefined {
  const between = linkTable(request.links, request.otherLink, request.unlinked);
  const links = nodes.map((node, index) => {
    const next = nodes[(index + 1) % nodes.length] as PlannerNode;
    return fastestFirst(between(node.id, next.id))[0];
  });
  return links.every((link) => link !== undefined) ? links : undefined;
}

function fastestFirst(links: readonly Link[]): Link[] {
  return [...links].sort((a, b) => a.roundTripMs - b.roundTripMs);
}

function nameOf({ engine, split }: { engine: EngineName; split?: Split }): string {
  if (engine === 'node-mlx') return 'node-mlx';
  return split === 'tensor' ? 'MLX Distributed, tensor parallel' : 'MLX Distributed, pipeline';
}

function against(
  taken: Candidate,
  other: Candidate | undefined,
  lacking: readonly string[],
  { goal }: PlanRequest,
): string {
  const of = goal === 'latency' ? 'one stream' : 'all streams together';
  const speed = `${rate(taken.speed)} tok/s of ${of} are predicted`;
  const more = other
    ? `${speed}, and ${rate(other.speed)} on ${nameOf(other.found.plan)}`
    : `${speed}; MLX Distributed cannot hold the model on these nodes, or share its heads`;
  return lacking.length > 0 ? `${more}; not installed on ${listed(lacking)}` : more;
}

function withReason({ found }: Candidate, reason: string): FoundPlan {
  const engineReason = `${nameOf(found.plan)}: ${reason}`;
  return { ...found, plan: { ...found.plan, engineReason } };
}

function noTensor({ card, nodes }: PlanRequest): EspalierError {
  const message =
    `${card.id} cannot be split by tensor parallelism over these ${nodes.length} nodes: ` +
    `its ${card.attentionHeads} heads must divide by the number of nodes (2 or more), each must hold its share and reach the next one`;
  return new EspalierError('not_enough_nodes', message);
}
