// What a plan is predicted to do: the times of its stages and hops, and what follows for one stream, many streams and
// prompts. Pure, over the cost model; the same for a plan in force and for one on paper.
import type { LayerRange, Link, ModelCard, Plan } from '../../protocol/plan.ts';
import {
  CHUNK_TOKENS,
  type DecodeLoad,
  decodeLayerMs,
  draftMs,
  FRAME_BYTES,
  headMs,
  hopBytes,
  prefillLayerMs,
  STAGE_OVERHEAD_MS,
  TYPICAL_CONTEXT_TOKENS,
} from './cost.ts';
import { guessedTime } from './guessed-time.ts';
import type { PlannerNode } from './inputs.ts';
import { carryMs, hopMs } from './links.ts';
import { withoutDraft } from './memory.ts';

/** A word to a draft or from it: a header, and some numbers as JSON. */
const WORD_BYTES = 200;

/** A plan's stages with their nodes, and the links between them. */
export interface Placed {
  card: ModelCard;
  stages: readonly { node: PlannerNode; range: LayerRange }[];
  /** the last one leads back to the first stage; none for one stage */
  links: readonly Link[];
  /** on a node of its own; the card is without it then */
  draft?: PlacedDraft | undefined;
}

export interface PlacedDraft {
  node: PlannerNode;
  /** what a guess takes there */
  ms: number;
  /** to the first stage's node and back */
  roundTripMs: number;
  /** the stage that has the same node; undefined where none has */
  stage: number | undefined;
}

/** @throws Error when a stage's node is not among `nodes` */
export function placePlan(card: ModelCard, plan: Plan, nodes: readonly PlannerNode[]): Placed {
  const { draft } = plan;
  const isApart = draft?.place === 'apart';
  const stages = plan.stages.map(({ nodeId, range }) => {
    const node = nodes.find(({ id }) => id === nodeId);
    if (!node) throw new Error(`the plan names the node ${nodeId}, which is not known`);
    const isShared = isApart && draft.nodeId === nodeId;
    return { node: isShared ? { ...node, usableBytes: node.usableBytes - draft.bytes } : node, range };
  });
  const placed = { card: isApart ? withoutDraft(card) : card, stages, links: plan.links };
  // where its node is lost, others may guess for it: what that costs is not known
  const node = isApart ? nodes.find(({ id }) => id === draft.nodeId) : undefined;
  if (!node || !draft) return placed;
  const stage = stages.findIndex((each) => each.node.id === node.id);
  const roundTripMs = draft.link ? 2 * hopMs(draft.link, WORD_BYTES) : 0;
  return {
    ...placed,
    draft: { node, ms: draftMs(card, node), roundTripMs, stage: stage < 0 ? undefined : stage },
  };
}

/** One decode step in each stage. */
export function stageDecodeMs({ card, stages }: Placed, load: DecodeLoad): number[] {
  return stages.map(({ node, range }) => {
    let ms = STAGE_OVERHEAD_MS;
    for (let layer = range.start; layer < range.end; layer++) ms += decodeLayerMs(card, layer, node, load);
    return range.end === card.layerCount ? ms + headMs(card, node, load.rows) : ms;
  });
}

/** Bytes of one step on each hop: hidden states, and on the last one the drawn tokens. */
export function stepBytes({ card, stages, links }: Placed, tokens: number): number[] {
  return links.map((_, i) =>
    i === links.length - 1
      ? FRAME_BYTES
      : hopBytes(card, (stages[i] as Placed['stages'][number]).node, tokens),
  );
}

/**
 * Generated tokens a second, all streams together. The streams form as many groups as there are stages (or streams); each
 * group's next step begins when its last one has come round, and no stage works on two at once. So a round takes what one
 * step needs for all stages and hops, or what the slowest stage (or the busiest link) needs for one step of every group,
 * whichever is longer.
 */
export function predictDecode(
  placed: Placed,
  streams: number,
  contextTokens = TYPICAL_CONTEXT_TOKENS,
): number {
  const groups = Math.min(streams, placed.stages.length);
  const rows = streams / groups;
  const stages = stageDecodeMs(placed, { rows, contextTokens });
  const bytes = stepBytes(placed, rows);
  const hops = placed.links.map((link, i) => hopMs(link, bytes[i] ?? 0));
  const carries = placed.links.map((link, i) => carryMs(link, bytes[i] ?? 0));
  const roundMs = Math.max(sum(stages) + sum(hops), groups * Math.max(...stages, ...carries));
  return (1000 * streams) / roundMs;
}

/**
 * Tokens a second of one stream for which this share of guesses is right, one of them a step. A draft beside the first stage
 * takes its time from it with every guess. One that is apart takes none, but the first guess behind a wrong one comes a round
 * trip after the token that proved it wrong: what of that is longer than the first stage's own step is waited for.
 */
export function predictGuessed(placed: Placed, yieldShare: number): number {
  const load = { rows: 1, contextTokens: TYPICAL_CONTEXT_TOKENS };
  const stages = stageDecodeMs(placed, load);
  const bytes = stepBytes(placed, 1);
  const hops = placed.links.map((link, i) => hopMs(link, bytes[i] ?? 0));
  const carries = placed.links.map((link, i) => carryMs(link, bytes[i] ?? 0));
  const { draft } = placed;
  const [first] = placed.stages;
  const besideMs = first ? draftMs(placed.card, first.node) : 0;
  const guessing = stages.map((ms, i) => ms + (i === 0 ? besideMs : 0) + (draft?.stage === i ? draft.ms : 0));
  const slowest = Math.max(...guessing, ...carries, draft?.ms ?? 0);
  const lateMs = draft ? Math.max(0, draft.ms + draft.roundTripMs - (stages[0] ?? 0)) : 0;
  const tokenMs = guessedTime(sum(stages) + sum(hops), slowest, stages.length, yieldShare);
  return 1000 / (tokenMs + yieldShare * (1 - yieldShare) * lateMs);
}

/**
 * Tokens of one prompt a second, until its last chunk has left the last stage: the first chunk's way through all stages
 * and hops, and after it a chunk each time that the slowest stage (or the busiest link) is done with one.
 */
export function predictPrefill(placed: Placed, promptTokens: number): number {
  const { card, stages, links } = placed;
  const chunks: number[] = [];
  for (let rest = promptTokens; rest > 0; rest -= CHUNK_TOKENS) chunks.push(Math.min(rest, CHUNK_TOKENS));
  // when each stage is free again, and when each link is
  const freeAt = stages.map(() => 0);
  const linkFreeAt = links.map(() => 0);
  let before = 0;
  let endMs = 0;
  for (const tokens of chunks) {
    let atMs = 0;
    const bytes = stepBytes(placed, tokens);
    for (const [i, { node, range }] of stages.entries()) {
      atMs = Math.max(atMs, freeAt[i] as number) + STAGE_OVERHEAD_MS;
      for (let layer = range.start; layer < range.end; layer++)
        atMs += prefillLayerMs(card, layer, node, tokens, before);
      freeAt[i] = atMs;
      const link = links[i];
      if (!link || i === stages.length - 1) continue;
      const sentMs = Math.max(atMs, linkFreeAt[i] as number) + carryMs(link, bytes[i] ?? 0);
      linkFreeAt[i] = sentMs;
      atMs = sentMs + link.roundTripMs / 2;
    }
    endMs = atMs;
    before += tokens;
  }
  return (1000 * promptTokens) / endMs;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
