// Sampling options that tests share, and sampling done plainly in float64 to compare with.
import type { Sampling } from '../../protocol/generate.ts';

export const GREEDY: Sampling = { temperature: 0, topP: 1, seed: 0 };

/** The request's own tokens, as far as its penalties need them. */
export interface ReferenceHistory {
  promptIds?: readonly number[];
  answerIds?: readonly number[];
  stopIds?: readonly number[];
}

/** The logits after min_tokens, bias and penalties, for the token after `answerIds`. */
export function referenceLogits(
  logits: readonly number[],
  sampling: Sampling,
  { promptIds = [], answerIds = [], stopIds = [] }: ReferenceHistory = {},
): number[] {
  const bias = new Map(sampling.logitBias ?? []);
  const { minTokens = 0, repetitionPenalty = 1, presencePenalty = 0, frequencyPenalty = 0 } = sampling;
  return logits.map((raw, id) => {
    let logit = raw + (bias.get(id) ?? 0);
    const count = answerIds.filter((other) => other === id).length;
    if (count > 0 || promptIds.includes(id))
      logit = logit > 0 ? logit / repetitionPenalty : logit * repetitionPenalty;
    logit -= count * frequencyPenalty + (count > 0 ? presencePenalty : 0);
    return answerIds.length < minTokens && stopIds.includes(id) ? Number.NEGATIVE_INFINITY : logit;
  });
}

/** What each token's chance is: temperature, min_p, top_k, top_p; of equal logits the lower id first. */
export function referenceProbabilities(logits: readonly number[], sampling: Sampling): number[] {
  const { temperature, topK = 0, topP, minP = 0 } = sampling;
  const top = logits.reduce((max, logit) => Math.max(max, logit), Number.NEGATIVE_INFINITY);
  const order = logits.map((logit, id) => ({ id, logit })).sort((a, b) => b.logit - a.logit || a.id - b.id);
  const kept = temperature === 0 || topK === 1 ? 1 : topK || logits.length;
  let ranked = order
    .slice(0, kept)
    .map(({ id, logit }) => ({ id, weight: temperature === 0 ? 1 : Math.exp((logit - top) / temperature) }))
    .filter(({ weight }) => weight >= minP);
  const mass = ranked.reduce((total, { weight }) => total + weight, 0);
  let before = 0;
  ranked = ranked.filter(({ weight }, rank) => {
    const isKept = rank === 0 || before < topP * mass;
    before += weight;
    return isKept;
  });
  const total = ranked.reduce((all, { weight }) => all + weight, 0);
  const probabilities = new Array<number>(logits.length).fill(0);
  for (const { id, weight } of ranked) probabilities[id] = weight / total;
  return probabilities;
}

/**
 * How far 1 − uniform is from the share of (0, 1] that a token has in the order of ids: 0 where that token is the one to
 * be drawn, about 1e-7 where float32 decides a border otherwise.
 */
export function distanceFromShare(probabilities: readonly number[], token: number, uniform: number): number {
  const before = probabilities.slice(0, token).reduce((sum, probability) => sum + probability, 0);
  const end = before + (probabilities[token] ?? 0);
  return Math.max(before - (1 - uniform), 1 - uniform - end, 0);
}

/** Numbers in [0, 1) that are the same in every run. */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    // Mulberry32
    state = (state + 0x6d2b79f5) >>> 0;
    let z = Math.imul(state ^ (state >>> 15), state | 1);
    z = (z + Math.imul(z ^ (z >>> 7), z | 61)) ^ z;
    return ((z ^ (z >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Normally distributed float32 numbers, as logits are: mean 0, this deviation. */
export function randomLogits(count: number, deviation: number, seed: number): number[] {
  const random = randomNumbers(seed);
  return Array.from({ length: count }, () =>
    Math.fround(deviation * Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())),
  );
}
