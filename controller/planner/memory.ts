// What a stage takes of its node's memory. Pure; the planner's limits and the explanation's bars come from here.
import { KV_BLOCK_TOKENS, kvCapacity } from '../../protocol/limits.ts';
import type { LayerRange, ModelCard } from '../../protocol/plan.ts';
import type { PlannerNode } from './inputs.ts';

/** Node, MLX and their buffers beside a stage's tensors: 110 to 210 MB were measured on Linux. */
export const ENGINE_BYTES = 256 * 1024 * 1024;
/** Share of a node's memory that a prefill may take for a while, but at least so much. */
const PREFILL_SHARE = 1 / 64;
const MIN_PREFILL_BYTES = 256 * 1024 * 1024;
/** KV beyond so many conversations of the model's full length would hardly be used: the memory stays the system's. */
const MAX_KV_CONTEXTS = 4;

/** What the first stage holds beside its layers. */
export function firstStageBytes({ embeddingBytes, draft }: ModelCard): number {
  return embeddingBytes + (draft?.bytes ?? 0);
}

/** A card as the stages of a plan hold it whose draft is apart. */
export function withoutDraft({ draft: _, ...card }: ModelCard): ModelCard {
  return card;
}

/** What a draft in a process of its own takes of its node. */
export function draftBytes({ draft }: ModelCard): number {
  return draft ? draft.bytes + ENGINE_BYTES : 0;
}

/** Weights of a layer range, with the embedding (and a draft) on the first stage and norm and head on the last. */
export function rangeBytes(card: ModelCard, { start, end }: LayerRange): number {
  let bytes = start === 0 ? firstStageBytes(card) : 0;
  for (let layer = start; layer < end; layer++) bytes += card.layerBytes[layer] ?? 0;
  return bytes + (end === card.layerCount ? card.headBytes : 0);
}

/** KV of one token in so many layers of a node. */
export function kvTokenBytes(card: ModelCard, node: PlannerNode, layers: number): number {
  return card.kvValuesPerTokenLayer * node.valueBytes * layers;
}

/** What a prefill's attention scores may take on a node. */
export function scratchBytes(node: PlannerNode): number {
  return Math.max(MIN_PREFILL_BYTES, Math.floor(node.memoryBytes * PREFILL_SHARE));
}

/** What is left for weights and KV. */
export function roomBytes(node: PlannerNode): number {
  return node.usableBytes - ENGINE_BYTES - scratchBytes(node);
}

/** Tokens of KV that a plan must have room for. */
export function askedKvTokens({
  streams,
  contextTokens,
}: {
  streams: number;
  contextTokens: number;
}): number {
  return streams * kvCapacity(contextTokens);
}

/** What the stage with the least room can hold beside its weights, in whole blocks. */
export function plannedKvTokens(
  card: ModelCard,
  stages: readonly { node: PlannerNode; range: LayerRange }[],
): number {
  const rooms = stages.map(({ node, range }) => {
    const tokenBytes = kvTokenBytes(card, node, range.end - range.start);
    return (roomBytes(node) - rangeBytes(card, range)) / tokenBytes;
  });
  const tokens = Math.min(...rooms, card.contextTokens * MAX_KV_CONTEXTS);
  return Math.max(1, Math.floor(tokens / KV_BLOCK_TOKENS)) * KV_BLOCK_TOKENS;
}
