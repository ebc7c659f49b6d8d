// What a plan is made of: layer ranges, stages, and the facts of a model that a plan needs.
import { z } from 'zod';
import type { Split } from './ranks.ts';

/** Layers `start` (inclusive) to `end` (exclusive). */
export const LayerRange = z
  .object({ start: z.int().min(0), end: z.int().min(1) })
  .refine((range) => range.start < range.end, { message: 'a layer range holds at least one layer' });
export type LayerRange = z.infer<typeof LayerRange>;

/** `0–3` for {start: 0, end: 4}: layer numbers as people count them, both ends included. */
export function formatRange(range: LayerRange): string {
  return range.end - range.start === 1 ? `${range.start}` : `${range.start}–${range.end - 1}`;
}

export const EngineName = z.enum(['node-mlx', 'mlx-distributed']);
export type EngineName = z.infer<typeof EngineName>;

/** What a layer's feed-forward block is made of: one block for every token, or experts of which a token takes a few. */
export const LayerKind = z.enum(['dense', 'experts']);
export type LayerKind = z.infer<typeof LayerKind>;

/** What the planner and the users need to know of a model, from config.json and the weights' headers alone. */
export const ModelCard = z.object({
  id: z.string(),
  architecture: z.string(),
  layerCount: z.int().min(1),
  vocabSize: z.int().min(1),
  /** numbers of a token's hidden state: what a hop carries */
  hiddenSize: z.int().min(1),
  attentionHeads: z.int().min(1),
  contextTokens: z.int().min(1),
  /** e.g. `4-bit`, or `unquantized` */
  quantization: z.string(),
  layerKinds: z.array(LayerKind),
  /** bytes of weights of each layer, once they are loaded */
  layerBytes: z.array(z.number()),
  /** of these, the bytes of the experts among which a token's are chosen; 0 in dense layers */
  routedLayerBytes: z.array(z.number()),
  /** routed experts of a layer, and how many of them a token takes; null without such layers */
  experts: z.object({ total: z.int().min(1), chosen: z.int().min(1) }).nullable(),
  embeddingBytes: z.number(),
  /** the draft model that guesses for it: its weights, all its bytes with KV, and its layers */
  draft: z.object({ weightBytes: z.number(), bytes: z.number(), layerCount: z.int().min(1) }).optional(),
  headBytes: z.number(),
  /** bytes of all these weights in their files */
  fileBytes: z.number(),
  /** floating point operations of one token in the matrix products of each layer, and in the head */
  layerFlops: z.array(z.number()),
  headFlops: z.number(),
  /** the same for one query with one key in one layer: what attention costs for each token of context */
  attentionPairFlops: z.number(),
  /** attention through latents (DeepSeek-V2), which takes more and smaller operations than that of heads alone */
  hasLatentAttention: z.boolean(),
  /** numbers of KV that one token needs in one layer; how many bytes each takes is the node's to say */
  kvValuesPerTokenLayer: z.number(),
});
export type ModelCard = z.infer<typeof ModelCard>;

/** throughput: the slowest stage is as fast as it can be · latency: all stages and hops together are */
export const Goal = z.enum(['throughput', 'latency']);
export type Goal = z.infer<typeof Goal>;

/** What plans are made for where nobody says otherwise. */
export const DEFAULT_PLANNING = { goal: 'throughput', contextTokens: 16_384, streams: 1 } as const;

export const LinkKind = z.enum(['thunderbolt', 'ethernet', 'wifi', 'unknown']);
export type LinkKind = z.infer<typeof LinkKind>;

/** measured on this machine or link · estimate: from a table or a default */
export const Source = z.enum(['measured', 'estimate']);
export type Source = z.infer<typeof Source>;

/** One way between two nodes. */
export const Link = z.object({
  kind: LinkKind,
  /** shown to people: `Thunderbolt 5`, `10GbE`, or the interface that carries it */
  label: z.string(),
  linkGbps: z.number().positive(),
  roundTripMs: z.number().min(0),
  source: Source,
});
export type Link = z.infer<typeof Link>;

/** What a user wants plans on: `auto` takes what is predicted to be faster. */
export const EngineChoice = z.enum(['auto', ...EngineName.options]);
export type EngineChoice = z.infer<typeof EngineChoice>;

/** The stage that takes requests and tells tokens: on node-mlx the first, on MLX Distributed the last, which is rank 0. */
export function headStage<T>({
  engine,
  stages,
}: {
  engine: EngineName;
  stages: readonly T[];
}): T | undefined {
  return engine === 'mlx-distributed' ? stages.at(-1) : stages[0];
}

/** head: in the first stage's own process · apart: in a process of its own, on another node */
export const DraftPlace = z.enum(['head', 'apart']);
export type DraftPlace = z.infer<typeof DraftPlace>;

/** Where a plan has the model's draft. */
export const PlannedDraft = z.object({
  place: DraftPlace,
  nodeId: z.string(),
  /** what it takes there: weights and KV, and what a process of its own takes */
  bytes: z.number(),
  /** of one that is apart: between the first stage's node and its own */
  link: Link.optional(),
  /** why there, in a sentence */
  reason: z.string(),
});
export type PlannedDraft = z.infer<typeof PlannedDraft>;

export interface PlannedStage {
  index: number;
  nodeId: string;
  range: LayerRange;
  weightBytes: number;
}

/** Ordered stages that cover every layer once. Stage 0 embeds; the last one holds the head. */
export interface Plan {
  engine: EngineName;
  /** of mlx-distributed; in a tensor split every stage has all layers, and a part of each */
  split?: Split;
  /** why this engine, where there was a choice */
  engineReason?: string;
  modelId: string;
  goal: Goal;
  /** the conversations that it was planned for: so many at once, of so many tokens each */
  streams: number;
  contextTokens: number;
  stages: PlannedStage[];
  /** the link from each stage to the next, the last one's back to the first; none where there is one stage */
  links: Link[];
  /** bytes that the attention scores of one chunk may take for a while, on every stage */
  prefillBytes: number;
  /** tokens of KV that every stage has room for beside its weights, whole blocks of them */
  kvTokens: number;
  /** undefined where the model has none, or one stage leaves nothing to guess for */
  draft?: PlannedDraft;
}
