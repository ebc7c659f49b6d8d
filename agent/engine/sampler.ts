// Draws tokens from logits. A draw depends on nothing but the logits, the request's seed and the token's place in its
// answer: not on what shares the batch, not on the plan, so a replayed or guessed token is drawn the same.
import type { Sampling } from '../../protocol/generate.ts';
import { mx, type Tensor } from './mlx.ts';

const MASK = (1n << 64n) - 1n;

/** One output of SplitMix64 (Steele, Lea, Flood 2014) at counter `state`. */
function splitmix64(state: bigint): bigint {
  let z = (state * 0x9e3779b97f4a7c15n) & MASK;
  z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & MASK;
  z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & MASK;
  return z ^ (z >> 31n);
}

/** A uniform number in [0, 1) with 53 random bits for the `index`-th token of a request with `seed`. */
export function uniformAt(seed: number, index: number): number {
  const mixed = splitmix64((splitmix64(BigInt(seed) + 1n) + BigInt(index) + 1n) & MASK);
  return Number(mixed >> 11n) / 2 ** 53;
}

export interface Draw {
  sampling: Sampling;
  /** the place of the token among the generated ones, from 0 */
  index: number;
}

/**
 * Draws one token per row.
 * @param logits [rows, vocabulary] @param draws one a row
 * @returns a token id per row; undefined where the logits are not finite
 */
export function sample(logits: Tensor, draws: readonly Draw[]): (number | undefined)[] {
  // one pass finds rows with NaN or infinity: their sum is not finite
  const sums = logits.astype(mx.float32).sum(-1);
  const best = mx.argmax(logits, -1);
  mx.eval(sums, best);
  const finite = (sums.tolist() as number[]).map(Number.isFinite);
  const greedy = best.tolist() as number[];
  return draws.map(({ sampling, index }, row) => {
    if (!finite[row]) return undefined;
    if (sampling.temperature === 0) return greedy[row];
    return drawNucleus(logits.index(row), sampling, uniformAt(sampling.seed, index));
  });
}

/** Nucleus sampling (Holtzman et al. 2020) by inverting the cumulative distribution at `u`; all on the device. */
function drawNucleus(logits: Tensor, { temperature, topP }: Sampling, u: number): number {
  const scaled = mx.multiply(logits.astype(mx.float32), 1 / temperature);
  const probabilities = mx.softmax(scaled, -1);
  const order = mx.argsort(mx.negative(probabilities));
  const sorted = mx.take(probabilities, order, 0);
  const cumulative = mx.cumsum(sorted);
  // a token is kept while those before it do not yet hold topP
  const kept = mx.less(mx.subtract(cumulative, sorted), topP);
  const mass = mx.sum(mx.where(kept, sorted, 0));
  const below = mx.sum(mx.lessEqual(cumulative, mx.multiply(mass, u)).astype(mx.int32));
  const count = mx.sum(kept.astype(mx.int32));
  mx.eval(below, count, order);
  const place = Math.min(below.item() as number, Math.max(count.item() as number, 1) - 1);
  return order.index(place).item() as number;
}
