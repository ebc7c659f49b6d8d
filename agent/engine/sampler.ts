// Draws tokens from logits. A draw depends on nothing but the logits, the request's own tokens, its seed and the token's
// place in its answer: not on what shares the batch, not on the plan, so a replayed or guessed token is drawn the same.
// The order is vLLM's (vllm/v1/sample/sampler.py): log probabilities of the logits as they are; min_tokens, logit_bias,
// repetition, frequency and presence penalty; what a grammar allows; temperature; min_p; top_k; top_p. mlx-lm 0.32 differs in the last four: it
// filters by top_p, min_p, top_k before the temperature. Recommended settings (R1: 0.6 with 0.95) assume vLLM's order.
import type { Sampling } from '../../protocol/generate.ts';
import { mx, type Tensor } from './mlx.ts';
import type { LogitAdjuster } from './sampling/adjuster.ts';
import { draw, isGreedy } from './sampling/draw.ts';
import { type Logprobs, logprobs } from './sampling/logprobs.ts';
import { onlyAllowed } from './sampling/only-allowed.ts';
import { uniformAt } from './sampling/uniform.ts';

/**
 * Memory is given back after so many tokens' worth of draws, 5 rows of R1's vocabulary: a draw leaves 3 to 8 MB behind,
 * half a gigabyte for 64 rows.
 */
const SETTLE_AFTER_TOKENS = 1 << 19;

export interface Draw {
  sampling: Sampling;
  /** the place of the token among the generated ones, from 0 */
  index: number;
  /** bias and penalties, where the request has any */
  adjuster?: LogitAdjuster | undefined;
  /** the only tokens that may be drawn: one bit a token, 32 a number, lowest first; undefined: all */
  allowed?: Int32Array | undefined;
}

export interface Drawn {
  token: number;
  /** where the request asked for log probabilities */
  logprobs?: Logprobs;
}

/**
 * Draws one token per row. Whole logits stay on the device.
 * @param logits [rows, vocabulary] @param draws one a row @param settle frees what a draw left behind
 * @returns a token per row; undefined where the logits are not finite
 */
export async function sample(
  logits: Tensor,
  draws: readonly Draw[],
  settle: () => Promise<void>,
): Promise<(Drawn | undefined)[]> {
  // one pass finds rows with NaN or infinity: their sum is not finite
  const sums = logits.astype(mx.float32).sum(-1);
  const best = mx.argmax(logits, -1);
  mx.eval(sums, best);
  const finite = (sums.tolist() as number[]).map(Number.isFinite);
  const greedy = best.tolist() as number[];
  const drawn: (Drawn | undefined)[] = [];
  let unsettledTokens = 0;
  for (const [place, wanted] of draws.entries()) {
    const likeliest = finite[place] ? greedy[place] : undefined;
    if (likeliest === undefined || takesLikeliest(wanted)) {
      drawn.push(likeliest === undefined ? undefined : { token: likeliest });
      continue;
    }
    drawn.push(drawRow(logits.index(place).astype(mx.float32), wanted));
    unsettledTokens += logits.shape[1] as number;
    if (unsettledTokens < SETTLE_AFTER_TOKENS) continue;
    unsettledTokens = 0;
    await settle();
  }
  return drawn;
}

/** Whether the argmax of the logits as they are is all that is wanted. */
function takesLikeliest({ sampling, adjuster, allowed }: Draw): boolean {
  return isGreedy(sampling) && !adjuster && !allowed && sampling.topLogprobs === undefined;
}

/** @param row the model's logits, float32 [vocabulary], all finite */
function drawRow(row: Tensor, { sampling, index, adjuster, allowed }: Draw): Drawn | undefined {
  const adjusted = adjuster ? adjuster.apply(row, index) : row;
  const masked = allowed ? onlyAllowed(adjusted, allowed) : adjusted;
  const token = draw(masked, sampling, uniformAt(sampling.seed, index));
  if (token === undefined) return undefined;
  if (sampling.topLogprobs === undefined) return { token };
  return { token, logprobs: logprobs(row, token, sampling.topLogprobs) };
}
