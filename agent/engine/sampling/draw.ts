// Draws one token from adjusted logits: temperature, then min_p, top_k and top_p as vLLM orders them, then the inverse of
// the cumulative distribution. It must not know the request's history, nor other rows.
import type { Sampling } from '../../../protocol/generate.ts';
import { mx, type Tensor } from '../mlx.ts';
import { type Entry, largest } from './largest.ts';
import { Mass, reach } from './mass.ts';

/** vLLM's _SAMPLING_EPS: below it nothing but the likeliest token has a chance, and a division could overflow. */
const LEAST_TEMPERATURE = 1e-5;
/** A nucleus is rarely larger. So many entries cost 1.5 ms at 129,280 tokens, all of them sorted 11 ms (CPU). */
const CANDIDATES = 512;

/** Whether a draw takes the likeliest token whatever its random number is. */
export function isGreedy({ temperature, topK }: Sampling): boolean {
  return temperature < LEAST_TEMPERATURE || topK === 1;
}

/**
 * Draws a token. Tokens share [0, 1) in the order of their ids, not of their likelihood: were it the latter, two tokens
 * that are almost equally likely would change places, and the draw with them, with the last bit of a logit.
 * @param row float32 [vocabulary] without NaN
 * @param uniform a number in [0, 1)
 * @returns undefined where the logits overflow
 */
export function draw(row: Tensor, sampling: Sampling, uniform: number): number | undefined {
  if (isGreedy(sampling)) return mx.argmax(row, -1).item() as number;
  const top = row.max(-1).item() as number;
  if (!Number.isFinite(top)) return undefined;
  const weights = weigh(row, top, sampling);
  const { topP } = sampling;
  const rank = rankLimit(sampling, row.size);
  if (topP === 1 && rank === row.size) return pick(weights, uniform);
  const kept = keptAmong(largest(row, Math.min(CANDIDATES, row.size)), top, sampling, rank, weights);
  return kept ? pickAmong(kept, uniform) : pick(keepWidely(row, top, sampling, rank, weights), uniform);
}

/** How many of the likeliest tokens top_k leaves. */
function rankLimit({ topK = 0 }: Sampling, vocabulary: number): number {
  return topK === 0 ? vocabulary : Math.min(topK, vocabulary);
}

/** Likelihoods as multiples of the likeliest token's, 0 for those under min_p. `logits` may be in any order. */
function weigh(logits: Tensor, top: number, { temperature, minP = 0 }: Sampling): Tensor {
  const weights = mx.exp(mx.divide(mx.subtract(logits, top), temperature));
  return minP > 0 ? mx.where(mx.less(weights, minP), 0, weights) : weights;
}

/**
 * What top_k and top_p keep, if it is all among the likeliest tokens.
 * @param candidates the likeliest tokens, likeliest first
 * @param weights of the whole vocabulary
 * @returns undefined where more than the candidates are kept
 */
function keptAmong(
  candidates: readonly Entry[],
  top: number,
  { temperature, topP, minP = 0 }: Sampling,
  rank: number,
  weights: Tensor,
): Entry[] | undefined {
  const isAll = candidates.length >= rank;
  if (!isAll && rank < weights.size) return undefined;
  const weighed = candidates
    .slice(0, rank)
    .map(({ id, value }) => ({ id, value: Math.exp((value - top) / temperature) }))
    .filter(({ value }) => value >= minP);
  if (topP === 1) return weighed;
  const total = isAll ? sum(weighed) : new Mass(weights).total;
  const last = reach(
    weighed.map(({ value }) => value),
    topP * total,
  );
  if (last) return weighed.slice(0, last.place + 1);
  return isAll ? weighed : undefined;
}

/** The same for any number of tokens, by sorting the vocabulary on the device: weights, 0 for what is not kept. */
function keepWidely(row: Tensor, top: number, sampling: Sampling, rank: number, weights: Tensor): Tensor {
  const descending = mx.negative(mx.sort(mx.negative(row)));
  const ranked = descending.index(mx.Slice(0, rank));
  const mass = new Mass(weigh(ranked, top, sampling));
  const last = sampling.topP === 1 ? rank - 1 : (mass.placeOf(sampling.topP * mass.total) ?? rank - 1);
  const least = descending.index(last).item() as number;
  const above = mx.sum(mx.less(least, row).astype(mx.int32)).item() as number;
  // of those equal to the last one kept, the lower ids, as many as there is room for
  const isTie = mx.equal(row, least);
  const isKeptTie = mx.lessEqual(mx.cumsum(isTie.astype(mx.int32)), last + 1 - above);
  const ties = mx.where(isTie, mx.where(isKeptTie, weights, 0), 0);
  return mx.where(mx.less(least, row), weights, ties);
}

function pick(weights: Tensor, uniform: number): number | undefined {
  const mass = new Mass(weights);
  // 1 − uniform is in (0, 1]: a token of weight 0 is never reached first
  return mass.placeOf((1 - uniform) * mass.total);
}

function pickAmong(entries: readonly Entry[], uniform: number): number | undefined {
  const byId = [...entries].sort((a, b) => a.id - b.id);
  const values = byId.map(({ value }) => value);
  const found = reach(values, (1 - uniform) * sum(byId));
  return found && byId[found.place]?.id;
}

function sum(entries: readonly Entry[]): number {
  return entries.reduce((total, { value }) => total + value, 0);
}
