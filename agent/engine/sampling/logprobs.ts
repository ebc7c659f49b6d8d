// Log probabilities of a drawn token and of the likeliest ones. They are the model's own: computed from the logits before
// bias, penalties, temperature and filters, as vLLM's default (`raw_logprobs`) does.
import type { TokenLogprob } from '../../../protocol/generate.ts';
import { mx, type Tensor } from '../mlx.ts';
import { largest } from './largest.ts';
import { Mass } from './mass.ts';

export interface Logprobs {
  /** natural logarithm of the drawn token's probability */
  logprob: number;
  /** the likeliest tokens, likeliest first, of equals the lower id first */
  topLogprobs: TokenLogprob[];
}

/**
 * @param row the model's logits, float32 [vocabulary], all finite
 * @param token the drawn one @param count likeliest tokens to tell
 */
export function logprobs(row: Tensor, token: number, count: number): Logprobs {
  const top = row.max(-1).item() as number;
  const logTotal = top + Math.log(new Mass(mx.exp(mx.subtract(row, top))).total);
  // rounding could lift a certainty a little over 0
  const logOf = (logit: number) => Math.min(logit - logTotal, 0);
  const likeliest = count > 0 ? largest(row, count) : [];
  return {
    logprob: logOf(row.index(token).item() as number),
    topLogprobs: likeliest.map(({ id, value }) => ({ token: id, logprob: logOf(value) })),
  };
}
