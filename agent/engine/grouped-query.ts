// Grouped-query attention (Ainslie et al. 2023): several query heads share one key and value head. The attention of
// Llama and Qwen; what differs between them (biases, norms) comes from the weights and from what overrides `normed`.
import { z } from 'zod';
import type { Attention, StepContext } from './decoder.ts';
import { KvCache } from './kv-cache.ts';
import { Linear } from './linear.ts';
import { mx, type Tensor } from './mlx.ts';
import type { ParameterList } from './parameters.ts';
import { byRow, headsFirst, tokensFirst } from './rows.ts';
import type { Weights } from './weights.ts';

/** The fields that all architectures with this attention have in config.json. */
export const GroupedQueryArgs = z.looseObject({
  vocab_size: z.int().min(2),
  hidden_size: z.int().min(1),
  intermediate_size: z.int().min(1),
  num_hidden_layers: z.int().min(1),
  num_attention_heads: z.int().min(1),
  num_key_value_heads: z.int().min(1).nullish(),
  head_dim: z.int().min(2).multipleOf(2).nullish(),
  rms_norm_eps: z.number(),
  tie_word_embeddings: z.boolean().nullish(),
});
export type GroupedQueryArgs = z.infer<typeof GroupedQueryArgs>;

interface Heads {
  queryHeads: number;
  kvHeads: number;
  headDim: number;
}

/** Without the fields, every query head has its own key head, and the heads share the hidden width. */
export function headsOf(args: GroupedQueryArgs): Heads {
  const queryHeads = args.num_attention_heads;
  return {
    queryHeads,
    kvHeads: args.num_key_value_heads ?? queryHeads,
    headDim: args.head_dim ?? args.hidden_size / queryHeads,
  };
}

/**
 * Adds the issues that MLX would not survive: heads that do not divide evenly.
 * Used as `Args.check(wholeHeads)`.
 */
export function wholeHeads({ value, issues }: z.core.ParsePayload<GroupedQueryArgs>): void {
  const { queryHeads, kvHeads, headDim } = headsOf(value);
  const refuse = (field: string, message: string) =>
    issues.push({ code: 'custom', path: [field], message, input: value });
  if (queryHeads % kvHeads !== 0)
    refuse('num_key_value_heads', `${queryHeads} query heads cannot share ${kvHeads} key heads evenly`);
  if (headDim % 2 !== 0) refuse('num_attention_heads', `heads of ${headDim} dims cannot be rotated in pairs`);
}

/** The four projections. @param biases which of them have a bias vector */
export function addAttention(
  list: ParameterList,
  path: string,
  args: GroupedQueryArgs,
  biases: { inputs: boolean; output: boolean },
): void {
  const { queryHeads, kvHeads, headDim } = headsOf(args);
  const hidden = args.hidden_size;
  list.linear(`${path}.q_proj`, [queryHeads * headDim, hidden], biases.inputs);
  list.linear(`${path}.k_proj`, [kvHeads * headDim, hidden], biases.inputs);
  list.linear(`${path}.v_proj`, [kvHeads * headDim, hidden], biases.inputs);
  list.linear(`${path}.o_proj`, [hidden, queryHeads * headDim], biases.output);
}

export class GroupedQueryAttention implements Attention {
  readonly cache = new KvCache();
  readonly #heads: Heads;
  readonly #queryKeyValue: Linear;
  readonly #output: Linear;

  /** @param path of the module that holds q_proj, k_proj, v_proj and o_proj */
  constructor(args: GroupedQueryArgs, weights: Weights, path: string) {
    this.#heads = headsOf(args);
    this.#queryKeyValue = new Linear(weights, `${path}.q_proj`, `${path}.k_proj`, `${path}.v_proj`);
    this.#output = new Linear(weights, `${path}.o_proj`);
  }

  /**
   * What is done to queries and keys before they are rotated.
   * @param x [tokens, heads, headDim] @returns the same shape
   */
  protected normed(x: Tensor, _of: 'queries' | 'keys'): Tensor {
    return x;
  }

  forward(x: Tensor, { rows, rotation, masks }: StepContext): Tensor {
    const { queryHeads, kvHeads, headDim } = this.#heads;
    const tokens = x.shape[0] as number;
    const ends = [queryHeads * headDim, (queryHeads + kvHeads) * headDim];
    const [q, k, v] = mx.split(this.#queryKeyValue.forward(x), ends, -1) as [Tensor, Tensor, Tensor];
    const queries = this.normed(q.reshape(tokens, queryHeads, headDim), 'queries');
    const keys = this.normed(k.reshape(tokens, kvHeads, headDim), 'keys');
    const values = v.reshape(tokens, kvHeads, headDim);
    const tensors: [Tensor, Tensor, Tensor] = [rotation.apply(queries), rotation.apply(keys), values];
    const attended = byRow(rows, tensors, (row, place, parts) => {
      const [own, ...written] = parts.map(headsFirst) as typeof parts;
      const kv = this.cache.append(row, written);
      const mask = masks[place]?.astype(x.dtype);
      return tokensFirst(mx.fast.scaledDotProductAttention(own, ...kv, headDim ** -0.5, mask));
    });
    return this.#output.forward(attended.reshape(tokens, queryHeads * headDim));
  }
}
