// The fields by which OpenAI's dialects sample, with the names that llama.cpp, vLLM and others have added to them.
// Translation only.
import { z } from 'zod';
import type { Sampling } from '../../protocol/generate.ts';
import { MAX_LOGIT_BIAS } from '../../protocol/limits.ts';
import type { AnswerOptions } from '../chat-request.ts';
import { given, list, numberBetween, wholeNumber } from './fields.ts';

const TokenId = z.int({ error: 'must be a token id' }).min(0, { error: 'must be a token id' });

const LogitBias = z
  .record(
    z.string().regex(/^\d{1,9}$/, { error: 'must have token ids as names' }),
    z.number().min(-100).max(100),
    {
      error: 'must be an object of token ids, each with a number from -100 to 100',
    },
  )
  .refine((bias) => Object.keys(bias).length <= MAX_LOGIT_BIAS, {
    error: `takes at most ${MAX_LOGIT_BIAS} tokens`,
  })
  .nullish();

export const SAMPLING_FIELDS = {
  temperature: numberBetween(0, 2),
  top_p: numberBetween(0, 1),
  /** vLLM says -1 where others say 0: all */
  top_k: wholeNumber(-1),
  min_p: numberBetween(0, 1),
  presence_penalty: numberBetween(-2, 2),
  frequency_penalty: numberBetween(-2, 2),
  repetition_penalty: numberBetween(0.01, 100),
  /** llama.cpp's name for the same */
  repeat_penalty: numberBetween(0.01, 100),
  logit_bias: LogitBias,
  seed: z.int({ error: 'must be a whole number below 2^53' }).nullish(),
  min_tokens: wholeNumber(0),
  stop_token_ids: list(TokenId, { max: 32, error: 'must be a list of at most 32 token ids' }).nullish(),
};
const Fields = z.object(SAMPLING_FIELDS);
export type SamplingFields = z.infer<typeof Fields>;

/** The smallest share of the likelihood that stands for OpenAI's top_p 0: the likeliest token alone. */
const LEAST_TOP_P = 1e-9;

/** @param topLogprobs where log probabilities are asked for */
export function samplingOf(fields: SamplingFields, topLogprobs?: number): AnswerOptions['sampling'] {
  const { temperature, top_p, top_k, min_p, presence_penalty, frequency_penalty, min_tokens } = fields;
  const repetition = fields.repetition_penalty ?? fields.repeat_penalty;
  return {
    temperature: given(temperature),
    topP: top_p === 0 ? LEAST_TOP_P : given(top_p),
    topK: top_k === -1 ? 0 : given(top_k),
    minP: given(min_p),
    presencePenalty: given(presence_penalty),
    frequencyPenalty: given(frequency_penalty),
    repetitionPenalty: given(repetition),
    logitBias: logitBias(fields.logit_bias),
    seed: seedOf(fields.seed),
    minTokens: given(min_tokens),
    topLogprobs,
  };
}

function logitBias(bias: SamplingFields['logit_bias']): Sampling['logitBias'] {
  return bias ? Object.entries(bias).map(([id, value]) => [Number(id), value]) : undefined;
}

/** The engine's seeds start at 0; negative ones are as good as any. */
export function seedOf(seed: number | null | undefined): number | undefined {
  if (seed === null || seed === undefined) return undefined;
  return seed < 0 ? seed + Number.MAX_SAFE_INTEGER : seed;
}
