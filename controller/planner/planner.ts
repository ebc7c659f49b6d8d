// Pure: nodes and a model card in, a plan out. Splits the layers into contiguous ranges so that the fullest node, by
// the share of its memory, is as empty as it can be; exact, by dynamic programming.
import { EspalierError } from '../../protocol/errors.ts';
import { KV_BLOCK_TOKENS } from '../../protocol/limits.ts';
import type { ModelCard, Plan, PlannedStage } from '../../protocol/plan.ts';

export interface PlannerNode {
  id: string;
  name: string;
  memoryBytes: number;
}

/** Share of a node's memory that weights and KV may take: the rest is the system's and the agent's. */
const USABLE_SHARE = 0.75;
/** Share of the smallest node's memory that a prefill may take beside them for a while, but at least so much. */
const PREFILL_SHARE = 1 / 64;
const MIN_PREFILL_BYTES = 256 * 1024 * 1024;
/** KV beyond so many conversations of the model's full length would hardly be used: the memory stays the system's. */
const MAX_KV_CONTEXTS = 4;

/**
 * Plans the model over all given nodes, in their order. More nodes than layers leave the last ones out.
 * @param contextTokens KV of one session of this length must fit on every stage beside the weights
 * @throws EspalierError not_enough_nodes with the missing memory
 */
export function planStages(card: ModelCard, nodes: readonly PlannerNode[], contextTokens: number): Plan {
  const used = nodes.slice(0, card.layerCount);
  if (used.length === 0) throw new EspalierError('not_enough_nodes', 'no node is connected');
  const costs = layerCosts(card, contextTokens);
  const bounds = splitLayers(costs, used);
  const stages = used.map((node, index): PlannedStage => {
    const range = { start: bounds[index] as number, end: bounds[index + 1] as number };
    return { index, nodeId: node.id, range, weightBytes: weightBytes(card, range.start, range.end) };
  });
  for (const [index, node] of used.entries()) {
    const need = sum(costs, bounds[index] as number, bounds[index + 1] as number);
    const room = node.memoryBytes * USABLE_SHARE;
    if (need > room) throw new EspalierError('not_enough_nodes', missing(card, node, need, room));
  }
  const smallest = Math.min(...used.map((node) => node.memoryBytes));
  const prefillBytes = Math.max(MIN_PREFILL_BYTES, Math.floor(smallest * PREFILL_SHARE));
  const modelId = card.id;
  return { engine: 'node-mlx', modelId, stages, prefillBytes, kvTokens: kvTokens(card, used, stages) };
}

/** What the stage with the least room can hold, in whole blocks. */
function kvTokens(card: ModelCard, nodes: readonly PlannerNode[], stages: readonly PlannedStage[]): number {
  const rooms = stages.map(({ range, weightBytes: weights }, index) => {
    const { memoryBytes } = nodes[index] as PlannerNode;
    const tokenBytes = card.kvBytesPerTokenLayer * (range.end - range.start);
    return (memoryBytes * USABLE_SHARE - weights) / tokenBytes;
  });
  const tokens = Math.min(...rooms, card.contextTokens * MAX_KV_CONTEXTS);
  return Math.max(1, Math.floor(tokens / KV_BLOCK_TOKENS)) * KV_BLOCK_TOKENS;
}

/** Bytes of each layer with its KV; the first and the last also carry the embedding and the head. */
function layerCosts(card: ModelCard, contextTokens: number): number[] {
  return card.layerBytes.map((bytes, layer) => {
    const embedding = layer === 0 ? card.embeddingBytes : 0;
    const head = layer === card.layerCount - 1 ? card.headBytes : 0;
    return bytes + embedding + head + card.kvBytesPerTokenLayer * contextTokens;
  });
}

function weightBytes(card: ModelCard, start: number, end: number): number {
  const layers = sum(card.layerBytes, start, end);
  return layers + (start === 0 ? card.embeddingBytes : 0) + (end === card.layerCount ? card.headBytes : 0);
}

function sum(values: readonly number[], start: number, end: number): number {
  let total = 0;
  for (let i = start; i < end; i++) total += values[i] as number;
  return total;
}

/**
 * The bounds b with b[0] = 0 and b[n] = layers that minimize the largest share of memory of any node; every node gets
 * at least one layer. Of equal splits the one whose shares have the smallest sum of squares: no needless imbalance.
 */
function splitLayers(costs: readonly number[], nodes: readonly PlannerNode[]): number[] {
  const layers = costs.length;
  type Best = { worst: number; squares: number; from: number };
  // best[n][l]: the first n nodes hold the first l layers
  const best: (Best | undefined)[][] = [[{ worst: 0, squares: 0, from: 0 }]];
  for (let n = 1; n <= nodes.length; n++) {
    const row: (Best | undefined)[] = [];
    const { memoryBytes } = nodes[n - 1] as PlannerNode;
    for (let end = n; end <= layers - (nodes.length - n); end++) {
      for (let start = n - 1; start < end; start++) {
        const before = best[n - 1]?.[start];
        if (!before) continue;
        const share = sum(costs, start, end) / memoryBytes;
        const candidate = {
          worst: Math.max(before.worst, share),
          squares: before.squares + share * share,
          from: start,
        };
        const known = row[end];
        if (
          !known ||
          candidate.worst < known.worst ||
          (candidate.worst === known.worst && candidate.squares < known.squares)
        ) {
          row[end] = candidate;
        }
      }
    }
    best.push(row);
  }
  const bounds = [layers];
  for (let n = nodes.length; n > 0; n--) {
    const { from } = best[n]?.[bounds[0] as number] ?? { from: 0 };
    bounds.unshift(from);
  }
  return bounds;
}

function missing(card: ModelCard, node: PlannerNode, need: number, room: number): string {
  const gb = (bytes: number) => `${(bytes / 1e9).toFixed(1)} GB`;
  return (
    `${card.id} does not fit: ${node.name} would have to hold ${gb(need)} of weights and KV ` +
    `and has ${gb(room)} for them, ${gb(need - room)} too little`
  );
}
