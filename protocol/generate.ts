// One generation as the cluster sees it: token ids in, token ids out. Text exists only at the controller.
import { z } from 'zod';
import {
  MAX_GRAMMAR_CHARS,
  MAX_LOGIT_BIAS,
  MAX_REASON_CHARS,
  MAX_SESSIONS,
  MAX_TOP_LOGPROBS,
} from './limits.ts';
import { Shown } from './printable.ts';

/** Token ids and what is added to their logits; each id at most once. */
const LogitBias = z
  .array(z.tuple([z.int().min(0), z.number().min(-100).max(100)]))
  .max(MAX_LOGIT_BIAS)
  .refine((bias) => new Set(bias.map(([id]) => id)).size === bias.length, {
    error: 'a token id has two biases: give each one once',
  });

/**
 * How tokens are drawn. What is left out is off. The order in which it all applies is vLLM's: minTokens, logitBias,
 * repetition, frequency and presence penalty, then temperature, minP, topK, topP (agent/engine/sampler.ts).
 */
export const Sampling = z.object({
  /** 0 is greedy: what is below 0.00001 counts as 0 */
  temperature: z.number().min(0).max(100),
  /** keeps the fewest likeliest tokens that together hold this share of the probability; 1 keeps all */
  topP: z.number().gt(0).max(1),
  /** the request's random state: with the position of a token it decides that token's draw, on any plan */
  seed: z.int().min(0).max(Number.MAX_SAFE_INTEGER),
  /** keeps this many of the likeliest tokens; 0 keeps all */
  topK: z.int().min(0).optional(),
  /** keeps the tokens that are at least this many times as likely as the likeliest (arXiv 2407.01082); 0 keeps all */
  minP: z.number().min(0).max(1).optional(),
  /** divides positive and multiplies negative logits of tokens in the prompt or the answer; 1 changes nothing */
  repetitionPenalty: z.number().min(0.01).max(100).optional(),
  /** is subtracted from the logit of a token that the answer has */
  presencePenalty: z.number().min(-2).max(2).optional(),
  /** is subtracted from the logit of a token once for each time that the answer has it */
  frequencyPenalty: z.number().min(-2).max(2).optional(),
  logitBias: LogitBias.optional(),
  /** no stop token is drawn before the answer has this many tokens */
  minTokens: z.int().min(0).optional(),
  /** asks for log probabilities: each token's own and those of this many likeliest; left out: none at all */
  topLogprobs: z.int().min(0).max(MAX_TOP_LOGPROBS).optional(),
});
export type Sampling = z.infer<typeof Sampling>;

/** What an answer must be, enforced at each draw: tokens that would break it are not drawn. */
export const Grammar = z.object({
  /** XGrammar's structural tag, JSON text; compiled before with the same vocabulary, so that it is known to be sound */
  structuralTag: z.string().min(2).max(MAX_GRAMMAR_CHARS),
  /** the answer is free until it holds this text, and the grammar begins behind it: the end of a reasoning */
  after: z.string().min(1).max(32).optional(),
});
export type Grammar = z.infer<typeof Grammar>;

export const GenerateRequest = z.object({
  requestId: z.string().min(1).max(100),
  promptIds: z.array(z.int().min(0)).min(1),
  /** of an answer that began on an earlier deployment: its tokens so far, after which it goes on as if nothing had been */
  generatedIds: z.array(z.int().min(0)).optional(),
  /** of the whole answer, `generatedIds` among them */
  maxTokens: z.int().min(1),
  stopIds: z.array(z.int().min(0)).max(64),
  sampling: Sampling,
  grammar: Grammar.optional(),
  /** nobody waits for it: it begins when no other request waits, and its prompt gives way to theirs */
  isBackground: z.boolean().optional(),
});
export type GenerateRequest = z.infer<typeof GenerateRequest>;

/** Why a stream of tokens ended: a stop token was drawn (it is not sent), or maxTokens were sent. */
export const FinishReason = z.enum(['stop', 'length']);
export type FinishReason = z.infer<typeof FinishReason>;

/** A token and the natural logarithm of its probability in the model's own distribution. */
export const TokenLogprob = z.object({ token: z.int().min(0), logprob: z.number() });
export type TokenLogprob = z.infer<typeof TokenLogprob>;

export const TokenEvent = z.object({
  requestId: z.string(),
  /** the place of `token` among the generated ones, from 0: a receiver can tell a gap or a repeat */
  index: z.int().min(0),
  /** null where the stream ends without a token to show (a stop token was drawn) */
  token: z.int().min(0).nullable(),
  finish: FinishReason.nullable(),
  /** with the first token (of a deployment): how many tokens were not computed, because the stages had their KV */
  cachedTokens: z.int().min(1).optional(),
  /**
   * Of `token`, where the request asked for it. It is of the model's own distribution, before bias, penalties,
   * temperature and filters (as vLLM's default, `raw_logprobs`), so it says what the model thought, whatever was asked.
   */
  logprob: z.number().optional(),
  /** the likeliest tokens of that distribution, likeliest first, as many as `topLogprobs` asked for */
  topLogprobs: z.array(TokenLogprob).max(MAX_TOP_LOGPROBS).optional(),
});
export type TokenEvent = z.infer<typeof TokenEvent>;

/** Of requests that a stage tells of at once. */
export const RequestIds = z.array(z.string().max(100)).max(MAX_SESSIONS);

export const RequestFailure = z.object({
  requestId: z.string(),
  code: z.string(),
  message: Shown(MAX_REASON_CHARS),
});
export type RequestFailure = z.infer<typeof RequestFailure>;
