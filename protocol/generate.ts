// One generation as the cluster sees it: token ids in, token ids out. Text exists only at the controller.
import { z } from 'zod';

export const Sampling = z.object({
  /** 0 is greedy */
  temperature: z.number().min(0).max(100),
  topP: z.number().gt(0).max(1),
  /** the request's random state: with the position of a token it decides that token's draw, on any plan */
  seed: z.int().min(0).max(Number.MAX_SAFE_INTEGER),
});
export type Sampling = z.infer<typeof Sampling>;

export const GenerateRequest = z.object({
  requestId: z.string().min(1).max(100),
  promptIds: z.array(z.int().min(0)).min(1),
  maxTokens: z.int().min(1),
  stopIds: z.array(z.int().min(0)).max(64),
  sampling: Sampling,
});
export type GenerateRequest = z.infer<typeof GenerateRequest>;

/** Why a stream of tokens ended: a stop token was drawn (it is not sent), or maxTokens were sent. */
export const FinishReason = z.enum(['stop', 'length']);
export type FinishReason = z.infer<typeof FinishReason>;

export const TokenEvent = z.object({
  requestId: z.string(),
  /** the place of `token` among the generated ones, from 0: a receiver can tell a gap or a repeat */
  index: z.int().min(0),
  /** null where the stream ends without a token to show (a stop token was drawn) */
  token: z.int().min(0).nullable(),
  finish: FinishReason.nullable(),
});
export type TokenEvent = z.infer<typeof TokenEvent>;

export const RequestFailure = z.object({
  requestId: z.string(),
  code: z.string(),
  message: z.string(),
});
export type RequestFailure = z.infer<typeof RequestFailure>;
