// How long things take: the cost model. Pure formulas over a model card and a node, each with its source; measured times
// come before estimates. docs/decisions/0009 says why these and what they were checked against.
import type { LayerKind, ModelCard } from '../../protocol/plan.ts';
import type { PlannerNode } from './inputs.ts';

/** Share of the stated memory bandwidth that decoding reaches. */
export const BANDWIDTH_SHARE = 0.8;
/**
 * What each layer of a step costs beside its bytes: starting kernels, routing, waiting. With the share above it makes, for
 * dense layers, 20.9 tok/s of Llama 8B 4-bit on an M4 mini (brand-o/normiebench 3); for layers with experts, 19.5 tok/s of
 * Qwen3-235B 8-bit on one M3 Ultra (Geerling's chart in exo's docs/benchmarks); and with what latent attention costs
 * beside that of heads alone, 20.2 tok/s of R1 4-bit there (geerlingguy/beowulf-ai-cluster 17).
 */
const LAYER_OVERHEAD_MS: Record<LayerKind, number> = { dense: 0.12, experts: 0.2 };
const LATENT_OVERHEAD_MS = 0.1;
/**
 * Share of the GPU's operations that prefill reaches. Experts: 160 to 169 tok/s of R1 on one M3 Ultra (the same source).
 * Dense: between 1,164 tok/s of a 7B model on an M2 Ultra (ggml-org/llama.cpp 3084) and 225 tok/s on the M4 mini above.
 */
const COMPUTE_SHARE: Record<LayerKind, number> = { dense: 0.62, experts: 0.45 };
/** What a stage costs each step beside its layers: a frame in and out, and a turn of the event loop. */
export const STAGE_OVERHEAD_MS = 0.1;
/** Tokens of a prefill chunk, which goes through the stages as one step. */
export const CHUNK_TOKENS = 512;
/** The context at which decoding is predicted and planned where nobody says otherwise: a short conversation. */
export const TYPICAL_CONTEXT_TOKENS = 1_024;

/** What a layer costs each step beside its bytes. */
export function layerOverheadMs(card: ModelCard, layer: number): number {
  return (
    LAYER_OVERHEAD_MS[card.layerKinds[layer] ?? 'dense'] + (card.hasLatentAttention ? LATENT_OVERHEAD_MS : 0)
  );
}

export interface DecodeLoad {
  /** sessions that a step decodes together */
  rows: number;
  /** tokens of KV that each of them reads */
  contextTokens: number;
}

export const ONE_ROW: DecodeLoad = { rows: 1, contextTokens: TYPICAL_CONTEXT_TOKENS };

/**
 * Bytes of weights that a step reads of a layer. Each row chooses `chosen` of `total` experts; of several rows, chosen
 * independently, total × (1 − (1 − chosen / total)^rows) different ones are expected.
 */
export function activeLayerBytes(card: ModelCard, layer: number, rows: number): number {
  const bytes = card.layerBytes[layer] ?? 0;
  const routed = card.routedLayerBytes[layer] ?? 0;
  if (!card.experts) return bytes;
  const untouchedShare = (1 - card.experts.chosen / card.experts.total) ** rows;
  return bytes - routed * untouchedShare;
}

/** Bytes that a decode step reads of a layer: weights once, and each row's KV. */
export function decodeLayerBytes(
  card: ModelCard,
  layer: number,
  node: PlannerNode,
  { rows, contextTokens }: DecodeLoad,
): number {
  const kv = card.kvValuesPerTokenLayer * node.valueBytes * contextTokens;
  return activeLayerBytes(card, layer, rows) + rows * kv;
}

/**
 * One decode step of one layer: active bytes / (bandwidth × share), or its operations where there are so many rows that
 * they take longer, and the layer's overhead. A measured time stands for one row; more rows are scaled as the estimate is.
 */
export function decodeLayerMs(card: ModelCard, layer: number, node: PlannerNode, load: DecodeLoad): number {
  const kind = card.layerKinds[layer] ?? 'dense';
  const measured = node.measured?.[kind]?.decodeMs;
  const estimate = estimatedDecodeMs(card, layer, node, load);
  if (measured === undefined) return estimate;
  return (measured * estimate) / estimatedDecodeMs(card, layer, node, ONE_ROW);
}

/** The same without what was measured: what a measurement is compared with. */
export function estimatedDecodeMs(
  card: ModelCard,
  layer: number,
  node: PlannerNode,
  load: DecodeLoad,
): number {
  const kind = card.layerKinds[layer] ?? 'dense';
  const readMs = bytesMs(decodeLayerBytes(card, layer, node, load), node);
  const computeMs = flopsMs((card.layerFlops[layer] ?? 0) * load.rows, kind, node);
  return Math.max(readMs, computeMs) + layerOverheadMs(card, layer);
}

/** The head's product for `rows` drawn tokens, on the last stage. */
export function headMs(card: ModelCard, node: PlannerNode, rows: number): number {
  return Math.max(bytesMs(card.headBytes, node), flopsMs(card.headFlops * rows, 'dense', node));
}

/**
 * One chunk of a prompt through one layer: its operations / (GPU × share) or the bytes of the weights it touches, whichever
 * takes longer, and the layer's overhead.
 * @param before tokens of the prompt before the chunk: each of the chunk's attends to them and to half of the chunk
 */
export function prefillLayerMs(
  card: ModelCard,
  layer: number,
  node: PlannerNode,
  tokens: number,
  before: number,
): number {
  const kind = card.layerKinds[layer] ?? 'dense';
  const measured = node.measured?.[kind]?.prefillMsPerToken;
  if (measured === undefined) return estimatedPrefillMs(card, layer, node, tokens, before);
  // what was measured had nothing before it
  return measured * tokens + flopsMs(tokens * before * card.attentionPairFlops, kind, node);
}

/** The same without what was measured. */
export function estimatedPrefillMs(
  card: ModelCard,
  layer: number,
  node: PlannerNode,
  tokens: number,
  before: number,
): number {
  const kind = card.layerKinds[layer] ?? 'dense';
  const attentionFlops = tokens * (before + tokens / 2) * card.attentionPairFlops;
  const computeMs = flopsMs((card.layerFlops[layer] ?? 0) * tokens + attentionFlops, kind, node);
  const readMs = bytesMs(activeLayerBytes(card, layer, tokens), node);
  return Math.max(computeMs, readMs) + layerOverheadMs(card, layer);
}

/** What a guess of the draft takes a node, as measured or estimated: reading its weights, and starting its kernels; 0 without one. */
export function draftMs({ draft }: ModelCard, node: PlannerNode): number {
  if (!draft) return 0;
  const { measuredDraft } = node;
  if (measuredDraft?.weightBytes === draft.weightBytes) return measuredDraft.guessMs;
  return bytesMs(draft.weightBytes, node) + draft.layerCount * LAYER_OVERHEAD_MS.dense;
}

/** Bytes that a hop carries for so many tokens. */
export function hopBytes(card: ModelCard, node: PlannerNode, tokens: number): number {
  return card.hiddenSize * node.valueBytes * tokens + FRAME_BYTES;
}

/** A frame's header and one row of it (docs/architecture.md): all that the last stage sends back to the first. */
export const FRAME_BYTES = 48;

function bytesMs(bytes: number, node: PlannerNode): number {
  return bytes / (node.bandwidthGBps * BANDWIDTH_SHARE * 1e6);
}

function flopsMs(flops: number, kind: LayerKind, node: PlannerNode): number {
  return flops / (node.computeTflops * COMPUTE_SHARE[kind] * 1e9);
}
