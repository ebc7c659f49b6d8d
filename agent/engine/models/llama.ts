// Llama 2 and 3, of which the R1-Distill-Llama models are: grouped-query attention, with Llama 3.1's stretched rotary
// positions. Follows mlx-lm's llama.py; parameter names are the checkpoint's.
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
import type { ParameterSpec } from '../parameters.ts';
import { Rope, RopeScaling } from '../rope.ts';
import type { Weights } from '../weights.ts';

export const Args = GroupedQueryArgs.extend({
  rope_theta: z.number().positive().default(10_000),
  rope_scaling: RopeScaling,
  rope_traditional: z.boolean().default(false),
  attention_bias: z.boolean().default(false),
  mlp_bias: z.boolean().default(false),
  // layers that see only a window are not built: none of R1's family has them
  layer_types: z.array(z.literal('full_attention')).nullish(),
}).check(wholeHeads);
export type Args = z.infer<typeof Args>;

/** The parameters of layers `range`, with the embedding on the first stage and norm and head on the last. */
export function parameters(args: Args, range: LayerRange, has: (tensor: string) => boolean): ParameterSpec[] {
  const widths = { hidden: args.hidden_size, inner: args.intermediate_size };
  return decoderParameters(args, range, has, (list, prefix) => {
    const biases = { inputs: args.attention_bias, output: args.attention_bias };
    addAttention(list, `${prefix}.self_attn`, args, biases);
    list.mlp(`${prefix}.mlp`, widths, { bias: args.mlp_bias });
  });
}

class Layer extends DecoderLayer {
  constructor(args: Args, weights: Weights, prefix: string) {
    super(args, weights, prefix, {
      attention: new GroupedQueryAttention(args, weights, `${prefix}.self_attn`),
      feedForward: new Mlp(weights, `${prefix}.mlp`),
    });
  }
}

export class Model extends Decoder {
  constructor(args: Args, range: LayerRange, weights: Weights) {
    const { rope_theta: base, rope_scaling: scaling } = args;
    const pairs = args.rope_traditional ? 'neighbours' : 'halves';
    const rope = new Rope({ dims: headsOf(args).headDim, base, scaling, pairs });
    super(args, range, weights, rope, (prefix) => new Layer(args, weights, prefix));
  }
}
