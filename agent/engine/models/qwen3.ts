// Qwen 3 (dense), of which R1-0528-Qwen3-8B is: grouped-query attention that norms every head's queries and keys before
// it rotates them. Follows mlx-lm's qwen3.py; parameter names are the checkpoint's.
import { z } from 'zod';
import type { LayerRange } from '../../../protocol/plan.ts';
import { Decoder, DecoderLayer, decoderParameters } from '../decoder.ts';
import {
  addAttention,
  GroupedQueryArgs,
  GroupedQueryAttention,
  headsOf,
  wholeHeads,
} from '../grouped-query.ts';
import { Mlp } from '../mlp.ts';
import { mx, type Tensor } from '../mlx.ts';
import type { ParameterSpec } from '../parameters.ts';
import { Rope, RopeScaling } from '../rope.ts';
import type { Weights } from '../weights.ts';

export const Args = GroupedQueryArgs.extend({
  rope_theta: z.number().positive(),
  rope_scaling: RopeScaling,
  attention_bias: z.literal(false).default(false),
}).check(wholeHeads);
export type Args = z.infer<typeof Args>;

/** The parameters of layers `range`, with the embedding on the first stage and norm and head on the last. */
export function parameters(args: Args, range: LayerRange, has: (tensor: string) => boolean): ParameterSpec[] {
  const widths = { hidden: args.hidden_size, inner: args.intermediate_size };
  const { headDim } = headsOf(args);
  return decoderParameters(args, range, has, (list, prefix) => {
    const attention = `${prefix}.self_attn`;
    addAttention(list, attention, args, { inputs: false, output: false });
    list.vector(`${attention}.q_norm.weight`, [headDim]);
    list.vector(`${attention}.k_norm.weight`, [headDim]);
    list.mlp(`${prefix}.mlp`, widths);
  });
}

class Attention extends GroupedQueryAttention {
  readonly #norms: Record<'queries' | 'keys', Tensor>;
  readonly #eps: number;

  constructor(args: Args, weights: Weights, path: string) {
    super(args, weights, path);
    this.#norms = {
      queries: weights.vector(`${path}.q_norm.weight`),
      keys: weights.vector(`${path}.k_norm.weight`),
    };
    this.#eps = args.rms_norm_eps;
  }

  protected override normed(x: Tensor, of: 'queries' | 'keys'): Tensor {
    return mx.fast.rmsNorm(x, this.#norms[of], this.#eps);
  }
}

class Layer extends DecoderLayer {
  constructor(args: Args, weights: Weights, prefix: string) {
    super(args, weights, prefix, {
      attention: new Attention(args, weights, `${prefix}.self_attn`),
      feedForward: new Mlp(weights, `${prefix}.mlp`),
    });
  }
}

export class Model extends Decoder {
  constructor(args: Args, range: LayerRange, weights: Weights) {
    const { rope_theta: base, rope_scaling: scaling } = args;
    const rope = new Rope({ dims: headsOf(args).headDim, base, scaling, pairs: 'halves' });
    super(args, range, weights, rope, (prefix) => new Layer(args, weights, prefix));
  }
}
