// Multi-head latent attention (DeepSeek-V2, arXiv 2405.04434, section 2.1) over the rows of a step: what is cached is one
// latent and one rotated key a token, which all heads share. It must not know where queries and latents come from.
import type { KvCache } from './kv-cache.ts';
import type { HeadLinear } from './linear.ts';
import { mx, type Tensor } from './mlx.ts';
import { byRow, byRun, headsFirst, tokensFirst } from './rows.ts';
import type { Row } from './step.ts';

/** What a step's tokens bring, in their order. Queries are scaled already. */
export interface LatentStep {
  /** [tokens, heads, nopeDims] */
  queries: Tensor;
  /** [tokens, heads, ropeDims] */
  rotatedQueries: Tensor;
  /** [tokens, 1, rank] */
  latents: Tensor;
  /** [tokens, 1, ropeDims], rotated */
  keys: Tensor;
}

export interface LatentHeads {
  /** queries into the latents' space and, backward, latents into keys */
  keys: HeadLinear;
  /** latents into values */
  values: HeadLinear;
  dims: LatentDims;
}

/** How a row is computed: one token or several in the latents' own space, or with keys and values unpacked. */
export type Form = 'token' | 'absorbed' | 'plain';
type Parts = [queries: Tensor, rotatedQueries: Tensor, latents: Tensor, keys: Tensor];

export class LatentAttention {
  readonly #cache: KvCache;
  readonly #heads: LatentHeads;
  readonly #formOf: (row: Row) => Form;

  /** @param formOf the cheapest one when absent */
  constructor(cache: KvCache, heads: LatentHeads, formOf = (row: Row) => cheapestForm(row, heads.dims)) {
    this.#cache = cache;
    this.#heads = heads;
    this.#formOf = formOf;
  }

  /**
   * Writes the rows' latents and keys and attends to all that their sessions have.
   * @param masks by row: what is added to its scores, [count, position + count]; absent for single tokens
   * @returns [tokens, heads, valueDims]
   */
  forward(rows: readonly Row[], masks: readonly (Tensor | undefined)[], step: LatentStep): Tensor {
    const tensors: Parts = [step.queries, step.rotatedQueries, step.latents, step.keys];
    return byRun(rows, this.#formOf, tensors, ({ of: form, begin }, own, parts) => {
      if (form === 'token') return this.#tokens(own, parts);
      const chunk = form === 'absorbed' ? this.#absorbed : this.#plain;
      return byRow(own, parts, (row, place, chunks) => {
        const heads = chunks.map(headsFirst) as Parts;
        return tokensFirst(chunk.call(this, row, masks[begin + place], heads));
      });
    });
  }

  /** Single tokens, mapped into the latents' space and back together: what else they need is each session's own. */
  #tokens(rows: readonly Row[], [queries, rotatedQueries, latents, keys]: Parts): Tensor {
    const absorbed = byHead(queries, (x) => this.#heads.keys.forward(x));
    // [tokens, 1, heads, d]: a token's heads are the rows of one product with what they share
    const shared = (tensor: Tensor) => tensor.reshape(rows.length, 1, ...tensor.shape.slice(1));
    const parts: Parts = [shared(absorbed), shared(rotatedQueries), shared(latents), shared(keys)];
    const mixed = byRow(rows, parts, (row, _, [q, rotated, ...own]) => {
      const [allLatents, allKeys] = this.#cache.append(row, own);
      const scores = mx.matmul(rotated, allKeys.swapaxes(2, 3)); // [1, 1, heads, context]
      return attend(q, allLatents, allLatents, scores);
    });
    return byHead(mixed.reshape(...absorbed.shape), (x) => this.#heads.values.forward(x));
  }

  /** A chunk in the latents' space. @returns [1, heads, count, valueDims] */
  #absorbed(row: Row, mask: Tensor | undefined, [queries, rotated, ...own]: Parts): Tensor {
    const [allLatents, allKeys] = this.#cache.append(row, own);
    const q = mx.concatenate([this.#heads.keys.forward(queries), rotated], -1);
    const mixed = attend(q, mx.concatenate([allLatents, allKeys], -1), allLatents, mask);
    return this.#heads.values.forward(mixed);
  }

  /** A chunk with every head's own keys and values. @returns [1, heads, count, valueDims] */
  #plain(row: Row, mask: Tensor | undefined, [queries, rotated, ...own]: Parts): Tensor {
    const [allLatents, allKeys] = this.#cache.append(row, own);
    const unpacked = this.#heads.keys.backward(allLatents); // [1, heads, context, nopeDims]
    const [, heads = 1, context = 0] = unpacked.shape;
    const shared = mx.broadcastTo(allKeys, [1, heads, context, allKeys.shape[3] as number]);
    const q = mx.concatenate([queries, rotated], -1);
    return attend(q, mx.concatenate([unpacked, shared], -1), this.#heads.values.forward(allLatents), mask);
  }
}

/** Maps each head's part on its own. @param x [tokens, heads, d] @param map [1, heads, tokens, d] → the same with other d */
function byHead(x: Tensor, map: (x: Tensor) => Tensor): Tensor {
  return tokensFirst(map(headsFirst(x)));
}

/** Scaled already. @param scores what is added to those of q and k */
function attend(q: Tensor, k: Tensor, v: Tensor, scores: Tensor | undefined): Tensor {
  return mx.fast.scaledDotProductAttention(q, k, v, 1, scores?.astype(q.dtype));
}

export interface LatentDims {
  rank: number;
  nopeDims: number;
  valueDims: number;
}

/**
 * Which form takes fewer multiplications a head, of c tokens with a context of n (what both do alike left out):
 * plain unpacks the context, n · rank · (nope + value), and attends in c · n · (nope + value);
 * absorbed maps the tokens, c · rank · (nope + value), and attends in c · n · 2 · rank.
 * A single token is always absorbed, together with all others of the step.
 */
export function cheapestForm({ position, count }: Row, { rank, nopeDims, valueDims }: LatentDims): Form {
  const context = position + count;
  const both = nopeDims + valueDims;
  const plain = context * rank * both + count * context * both;
  const absorbed = count * rank * both + count * context * 2 * rank;
  if (count === 1) return 'token';
  return absorbed < plain ? 'absorbed' : 'plain';
}
