// What a plan is made of: layer ranges, stages, and the facts of a model that a plan needs.
import { z } from 'zod';

/** Layers `start` (inclusive) to `end` (exclusive). */
export const LayerRange = z
  .object({ start: z.int().min(0), end: z.int().min(1) })
  .refine((range) => range.start < range.end, { message: 'a layer range holds at least one layer' });
export type LayerRange = z.infer<typeof LayerRange>;

/** `0–3` for {start: 0, end: 4}: layer numbers as people count them, both ends included. */
export function formatRange(range: LayerRange): string {
  return range.end - range.start === 1 ? `${range.start}` : `${range.start}–${range.end - 1}`;
}

export const EngineName = z.enum(['node-mlx']);
export type EngineName = z.infer<typeof EngineName>;

/** What the planner and the users need to know of a model, from config.json and the weights' headers alone. */
export const ModelCard = z.object({
  id: z.string(),
  architecture: z.string(),
  layerCount: z.int().min(1),
  vocabSize: z.int().min(1),
  attentionHeads: z.int().min(1),
  contextTokens: z.int().min(1),
  /** e.g. `4-bit`, or `unquantized` */
  quantization: z.string(),
  /** bytes of weights of each layer */
  layerBytes: z.array(z.number()),
  embeddingBytes: z.number(),
  headBytes: z.number(),
  /** bytes of KV that one token needs in one layer, float32 */
  kvBytesPerTokenLayer: z.number(),
});
export type ModelCard = z.infer<typeof ModelCard>;

export interface PlannedStage {
  index: number;
  nodeId: string;
  range: LayerRange;
  weightBytes: number;
}

/** Ordered stages that cover every layer once. Stage 0 embeds; the last one holds the head. */
export interface Plan {
  engine: EngineName;
  modelId: string;
  stages: PlannedStage[];
  /** bytes that the attention scores of one chunk may take for a while, on every stage */
  prefillBytes: number;
  /** tokens of KV that every stage has room for beside its weights, whole blocks of them */
  kvTokens: number;
}
