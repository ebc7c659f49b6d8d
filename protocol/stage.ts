// A stage as its agent and the controller see it: what it is given, and what it tells of itself.
import { z } from 'zod';
import { Fingerprint } from './identity.ts';
import { LayerRange } from './plan.ts';
import { RankPlace } from './ranks.ts';
import { GuessStats, SpeculationSpec } from './speculation.ts';

/** Everything a stage worker needs to take its place in a plan. */
export const StageSpec = z.object({
  epoch: z.int().min(1),
  index: z.int().min(0),
  stageCount: z.int().min(1),
  range: LayerRange,
  /** a folder in MLX format on the node's own disk */
  modelDir: z.string().min(1),
  /** sha256 over config.json and the weights' headers: every node must hold the same model */
  modelFingerprint: z.string(),
  contextTokens: z.int().min(1),
  maxSessions: z.int().min(1),
  /** tokens of KV that this stage, and every other one, has room for: of running and of kept sessions together */
  kvTokens: z.int().min(1),
  /** tokens of one prefill chunk */
  prefillChunkTokens: z.int().min(1),
  /** chunk × context: each head's attention scores of a chunk lie in memory at once */
  maxChunkScores: z.int().min(1),
  /** a secret of this deployment: a hop whose hello lacks it is closed */
  hopToken: z.string().min(16),
  /** the keys of the nodes that hold the stage before and the one after: nobody else's hop is taken or dialled */
  neighbours: z.object({ before: Fingerprint, after: Fingerprint }),
  /** of a plan on MLX Distributed: its rank there; left out on node-mlx */
  ranks: RankPlace.optional(),
  /** what the first stage guesses with; undefined for nothing */
  speculation: SpeculationSpec.optional(),
  /** a draft in a process of its own: a whole model that guesses for the first stage, whose node is both neighbours */
  role: z.literal('draft').optional(),
});
export type StageSpec = z.infer<typeof StageSpec>;

/**
 * The deployment whose KV a stage still holds for exactly its layers; null for none. Where all stages of a new deployment
 * name the same one, their KV goes on to be used; otherwise all of them forget it, because KV of some layers is of no use
 * without that of the others.
 */
export const KvEpoch = z.int().min(1).nullable();
export type KvEpoch = z.infer<typeof KvEpoch>;

/** Which of a stage's two hops: from the stage before it, or to the one after it. */
export const HopSide = z.enum(['before', 'after']);
export type HopSide = z.infer<typeof HopSide>;

/** A stage that an agent has loaded, as it tells a controller that was started anew. */
export const HeldStage = z.object({
  epoch: z.int().min(1),
  index: z.int().min(0),
  stageCount: z.int().min(1),
  range: LayerRange,
  modelFingerprint: z.string(),
});
export type HeldStage = z.infer<typeof HeldStage>;

/** Tokens of KV; what is neither live nor kept is free, and what is kept is given up when room is needed. */
export const KvUse = z.object({
  /** that every stage has room for */
  totalTokens: z.int().min(0),
  /** held by running requests */
  liveTokens: z.int().min(0),
  /** held of ended requests, for later ones that begin alike */
  keptTokens: z.int().min(0),
});
export type KvUse = z.infer<typeof KvUse>;

/** What a stage measured of itself over the last interval. */
export const StageStats = z.object({
  pid: z.int(),
  residentBytes: z.number(),
  weightBytes: z.number(),
  kvBytes: z.number(),
  /** from the first stage, which decides it for all: how much a further request could have */
  kvUse: KvUse.optional(),
  /** from the first stage, where it guesses */
  guesses: GuessStats.optional(),
  sessions: z.int(),
  /** steps and tokens since the deployment */
  stepsTotal: z.int(),
  tokensTotal: z.int(),
  /** tokens that passed through this stage in the interval, per second */
  tokensPerSecond: z.number(),
  /** generated tokens (decode rows) alone, per second */
  decodeTokensPerSecond: z.number(),
  /** mean time of one decode step, compute and transfer, over the interval; null when there was none */
  stepTimeMs: z.number().nullable(),
  /** of a rank of MLX Distributed, which times now and then one step in its parts: its waiting beside `stepTimeMs` */
  stepWaitMs: z.number().min(0).optional(),
  /**
   * The longest step of the interval that was nothing but the beginning of a prompt, and how long it took in this stage;
   * left out where there was none of at least 64 tokens.
   */
  prefill: z.object({ tokens: z.int().min(1), ms: z.number().positive() }).optional(),
  /** share of the interval spent on steps, 0 to 1 */
  busyShare: z.number().min(0).max(1),
  /** bytes sent on the hop to the next stage, per second */
  hopBytesPerSecond: z.number(),
});
export type StageStats = z.infer<typeof StageStats>;
