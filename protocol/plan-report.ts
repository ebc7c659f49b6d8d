// A plan with its reasons: what GET /cluster/v1/plan answers and `espalier plan` prints. Every speed in it is predicted by
// the cost model; what the model was fed with is marked as measured or as an estimate.
import { z } from 'zod';
import { EngineName, Goal, LayerRange, Link, PlannedDraft, Source } from './plan.ts';
import { Split } from './ranks.ts';

export const PLAN_PATH = '/cluster/v1/plan';

const Bytes = z.number();
const TokensPerSecond = z.number().min(0);
const Ms = z.number().min(0);

/** What a stage takes of its node's memory; the parts and `freeBytes` add up to `usableBytes`. */
export const StageMemory = z.object({
  memoryBytes: Bytes,
  usableBytes: Bytes,
  usableSource: Source,
  weightBytes: Bytes,
  /** of all tokens of KV that the plan has room for */
  kvBytes: Bytes,
  /** prefill's attention scores */
  scratchBytes: Bytes,
  engineBytes: Bytes,
  freeBytes: Bytes,
});
export type StageMemory = z.infer<typeof StageMemory>;

export const StageReport = z.object({
  index: z.int(),
  nodeId: z.string(),
  /** the node's name */
  node: z.string(),
  chip: z.string(),
  range: LayerRange,
  memory: StageMemory,
  /** predicted, one row */
  decodeMs: Ms,
  /** bytes of weights and KV that one decode step reads */
  readBytes: Bytes,
  /** of the layers' times: measured where a measurement decides for every kind of layer in the stage */
  source: Source,
});
export type StageReport = z.infer<typeof StageReport>;

export const HopReport = z.object({
  from: z.string(),
  to: z.string(),
  link: Link,
  /** of one decode step */
  bytes: Bytes,
  /** predicted: half a round trip and the bytes */
  hopMs: Ms,
});
export type HopReport = z.infer<typeof HopReport>;

/** What keeps a figure from being better, with the arithmetic in words. */
export const PlanLimit = z.object({
  of: z.enum(['one stream', 'all stages busy', 'context']),
  by: z.enum(['bandwidth', 'overhead', 'compute', 'link', 'memory', 'model']),
  text: z.string(),
});
export type PlanLimit = z.infer<typeof PlanLimit>;

/** A change and what the plan after it is predicted to gain. */
export const PlanImprovement = z.object({
  change: z.string(),
  oneStream: TokensPerSecond,
  allStagesBusy: TokensPerSecond,
  /** of the figure that the plan's goal is about: 0.09 is 9 % more */
  gainShare: z.number(),
});
export type PlanImprovement = z.infer<typeof PlanImprovement>;

export const Predicted = z.object({
  /** the context at which the decode figures hold */
  atContextTokens: z.int(),
  oneStream: TokensPerSecond,
  /** the same where tokens are guessed ahead and this share of the guesses is right; none for one stage */
  guessed: z
    .array(z.object({ yieldShare: z.number().min(0).max(1), source: Source, oneStream: TokensPerSecond }))
    .optional(),
  /** as many streams as stages */
  allStagesBusy: TokensPerSecond,
  /** as many streams as were asked for, of the asked length */
  asked: z.object({ streams: z.int(), contextTokens: z.int(), tokensPerSecond: TokensPerSecond }),
  prefill: z.object({ promptTokens: z.int(), tokensPerSecond: TokensPerSecond }),
});
export type Predicted = z.infer<typeof Predicted>;

export const PlanReport = z.object({
  engine: EngineName,
  /** of mlx-distributed; in a tensor split every stage has a part of every layer */
  split: Split.optional(),
  /** why this engine, where there was a choice */
  engineReason: z.string().optional(),
  model: z.object({
    id: z.string(),
    quantization: z.string(),
    layerCount: z.int(),
    /** in memory, and in files */
    weightBytes: Bytes,
    fileBytes: Bytes,
    contextTokens: z.int(),
  }),
  goal: Goal,
  streams: z.int(),
  contextTokens: z.int(),
  /** the deployment that it is the plan of; null for one that is not in force */
  epoch: z.int().nullable(),
  stages: z.array(StageReport),
  hops: z.array(HopReport),
  /** where the draft guesses; left out where there is none */
  draft: PlannedDraft.omit({ link: true })
    .extend({
      /** the node's name */
      node: z.string(),
      /** what a guess takes there, predicted */
      guessMs: z.number().min(0),
      /** of one that is apart: a word to the first stage's node and one back */
      roundTripMs: z.number().min(0).nullable(),
    })
    .optional(),
  /** names of nodes that the plan does without */
  leftOut: z.array(z.string()),
  /** whether it is proven to be the best under the cost model; null where that was not asked */
  isExact: z.boolean().nullable(),
  /** the share by which the best plan over the same nodes is predicted to be faster, where the plan in force is kept */
  behindBestShare: z.number().min(0),
  predicted: Predicted,
  /** the longest conversation that every stage has room for, of at most the model's own length */
  longestContextTokens: z.int(),
  /** tokens of KV of all conversations together */
  kvTokens: z.int(),
  limits: z.array(PlanLimit),
  improvements: z.array(PlanImprovement),
  /** what the figures rest on, in sentences */
  assumptions: z.array(z.string()),
});
export type PlanReport = z.infer<typeof PlanReport>;
