// Tensor parallelism: every node has a part of every layer. Pure, over the cost model; which of several plans is taken is
// decided in engines.ts.
import type { Link, ModelCard } from '../../protocol/plan.ts';
import {
  activeLayerBytes,
  BANDWIDTH_SHARE,
  type DecodeLoad,
  layerOverheadMs,
  prefillLayerMs,
  STAGE_OVERHEAD_MS,
} from './cost.ts';
import type { PlannerNode } from './inputs.ts';
import { carryMs } from './links.ts';
import { kvTokenBytes, roomBytes } from './memory.ts';

/** After attention and after the feed-forward block. */
const ALL_REDUCES_PER_LAYER = 2;

/** Bytes of weights on each of so many nodes: its share of the layers, and embedding and head whole. */
export function tensorBytes(card: ModelCard, nodes: number): number {
  const layers = card.layerBytes.reduce((sum, bytes) => sum + bytes, 0);
  return layers / nodes + card.embeddingBytes + card.headBytes;
}

/** Whether each node holds its share beside KV of all layers: KV of latent attention is the same on every node. */
export function tensorFits(card: ModelCard, nodes: readonly PlannerNode[], kvTokens: number): boolean {
  const bytes = tensorBytes(card, nodes.length);
  return nodes.every((node) => {
    return bytes + kvTokenBytes(card, node, card.layerCount) * kvTokens <= roomBytes(node);
  });
}

/** One decode step, in milliseconds: the slowest node's share of every layer, its overhead, and two all-reduces a layer. */
export function tensorStepMs(
  card: ModelCard,
  nodes: readonly PlannerNode[],
  links: readonly Link[],
  load: DecodeLoad,
): number {
  const count = nodes.length;
  const perMs = Math.min(...nodes.map((node) => node.bandwidthGBps)) * BANDWIDTH_SHARE * 1e6;
  const valueBytes = Math.max(...nodes.map((node) => node.valueBytes));
  const kvBytes = card.kvValuesPerTokenLayer * valueBytes * load.contextTokens * load.rows;
  let ms = card.headBytes / perMs + reducesMs(card, nodes, links, load.rows);
  for (let layer = 0; layer < card.layerCount; layer++) {
    ms += (activeLayerBytes(card, layer, load.rows) / count + kvBytes) / perMs + layerOverheadMs(card, layer);
  }
  return ms;
}

/** One chunk of a prompt, in milliseconds, after `before` tokens of it: as a decode step, by the nodes' arithmetic. */
export function tensorChunkMs(
  card: ModelCard,
  nodes: readonly PlannerNode[],
  links: readonly Link[],
  tokens: number,
  before: number,
): number {
  const each = nodes.map((node) => {
    let ms = 0;
    for (let layer = 0; layer < card.layerCount; layer++)
      ms += prefillLayerMs(card, layer, node, tokens, before) / nodes.length;
    return ms;
  });
  return STAGE_OVERHEAD_MS + Math.max(...each) + reducesMs(card, nodes, links, tokens);
}

/** What one node sends to the next in one step, in bytes: all transfers of all all-reduces. */
export function reducesBytes(card: ModelCard, nodes: readonly PlannerNode[], rows: number): number {
  return transfers(card, nodes.length) * partBytes(card, nodes, rows);
}

function reducesMs(
  card: ModelCard,
  nodes: readonly PlannerNode[],
  links: readonly Link[],
  rows: number,
): number {
  const bytes = partBytes(card, nodes, rows);
  const slowest = Math.max(...links.map((link) => link.roundTripMs / 2 + carryMs(link, bytes)), 0);
  return transfers(card, nodes.length) * slowest;
}

/** In MLX's ring, an all-reduce is 2 (n − 1) transfers of an n-th of the bytes, each half a round trip. */
function transfers({ layerCount }: ModelCard, count: number): number {
  return layerCount * ALL_REDUCES_PER_LAYER * 2 * (count - 1);
}

function partBytes({ hiddenSize }: ModelCard, nodes: readonly PlannerNode[], rows: number): number {
  return (hiddenSize * Math.max(...nodes.map((node) => node.valueBytes)) * rows) / nodes.length;
}
