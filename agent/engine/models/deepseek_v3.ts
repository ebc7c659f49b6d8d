// DeepSeek V3 and R1: multi-head latent attention (the KV is one compressed latent a token, shared by all heads) and
// a mixture of experts. Follows mlx-lm's deepseek_v3.py; parameter names are the checkpoint's.
import { z } from 'zod';
import type { LayerRange } from '../../../protocol/plan.ts';
import type { Sanitize } from '../checkpoint.ts';
import {
  type Attention as AttentionPart,
  Decoder,
  DecoderLayer,
  decoderParameters,
  perRow,
  type StepContext,
} from '../decoder.ts';
import { KvCache } from '../kv-cache.ts';
import { HeadLinear, Linear } from '../linear.ts';
import { Mlp } from '../mlp.ts';
import { ALL, mx, type Tensor } from '../mlx.ts';
import type { ParameterList, ParameterSpec } from '../parameters.ts';
import { Rope, RopeScaling, yarnScale } from '../rope.ts';
import { SwitchMlp } from '../switch-mlp.ts';
import type { Weights } from '../weights.ts';

export const Args = z
  .looseObject({
    vocab_size: z.int().min(2),
    hidden_size: z.int().min(1),
    intermediate_size: z.int().min(1),
    moe_intermediate_size: z.int().min(1),
    num_hidden_layers: z.int().min(1),
    num_attention_heads: z.int().min(1),
    n_shared_experts: z.int().min(0).nullish(),
    n_routed_experts: z.int().min(1),
    num_experts_per_tok: z.int().min(1),
    n_group: z.int().min(1).default(1),
    topk_group: z.int().min(1).default(1),
    routed_scaling_factor: z.number().default(1),
    topk_method: z.literal('noaux_tc').default('noaux_tc'),
    scoring_func: z.literal('sigmoid').default('sigmoid'),
    norm_topk_prob: z.boolean().default(true),
    moe_layer_freq: z.int().min(1).default(1),
    first_k_dense_replace: z.int().min(0),
    q_lora_rank: z.int().min(1).nullish(),
    kv_lora_rank: z.int().min(1),
    qk_nope_head_dim: z.int().min(1),
    qk_rope_head_dim: z.int().min(2).multipleOf(2),
    v_head_dim: z.int().min(1),
    rms_norm_eps: z.number(),
    rope_theta: z.number().positive().default(10_000),
    rope_scaling: RopeScaling,
    attention_bias: z.boolean().default(false),
    tie_word_embeddings: z.boolean().nullish(),
  })
  .check(({ value, issues }) => {
    // what MLX would not survive
    const refuse = (field: keyof typeof value, message: string) =>
      issues.push({ code: 'custom', path: [field], message, input: value });
    const {
      n_routed_experts: experts,
      num_experts_per_tok: chosen,
      n_group: groups,
      topk_group: kept,
    } = value;
    if (experts % groups !== 0) refuse('n_group', `${experts} experts do not divide into ${groups} groups`);
    else if (kept > groups) refuse('topk_group', `${kept} groups cannot be kept of ${groups}`);
    else if (chosen > experts)
      refuse('num_experts_per_tok', `${chosen} cannot be chosen of ${experts} experts`);
  });
export type Args = z.infer<typeof Args>;

function hasExperts(args: Args, layer: number): boolean {
  return layer >= args.first_k_dense_replace && layer % args.moe_layer_freq === 0;
}

/** The parameters of layers `range`, with the embedding on the first stage and norm and head on the last. */
export function parameters(args: Args, range: LayerRange, has: (tensor: string) => boolean): ParameterSpec[] {
  return decoderParameters(args, range, has, (list, prefix, layer) => {
    addAttention(list, args, `${prefix}.self_attn`, has);
    if (hasExperts(args, layer)) addExperts(list, args, `${prefix}.mlp`);
    else list.mlp(`${prefix}.mlp`, { hidden: args.hidden_size, inner: args.intermediate_size });
  });
}

function addAttention(list: ParameterList, args: Args, path: string, has: (tensor: string) => boolean): void {
  const {
    hidden_size: hidden,
    num_attention_heads: heads,
    kv_lora_rank: kvRank,
    attention_bias: bias,
  } = args;
  const { qk_nope_head_dim: nope, qk_rope_head_dim: rope, v_head_dim: value } = args;
  if (args.q_lora_rank) {
    list.linear(`${path}.q_a_proj`, [args.q_lora_rank, hidden], bias);
    list.vector(`${path}.q_a_layernorm.weight`, [args.q_lora_rank]);
    list.linear(`${path}.q_b_proj`, [heads * (nope + rope), args.q_lora_rank]);
  } else {
    list.linear(`${path}.q_proj`, [heads * (nope + rope), hidden]);
  }
  list.linear(`${path}.kv_a_proj_with_mqa`, [kvRank + rope, hidden], bias);
  list.vector(`${path}.kv_a_layernorm.weight`, [kvRank]);
  if (has(`${path}.embed_q.weight`)) {
    list.linear(`${path}.embed_q`, [heads, kvRank, nope]);
    list.linear(`${path}.unembed_out`, [heads, value, kvRank]);
  } else {
    list.linear(`${path}.kv_b_proj`, [heads * (nope + value), kvRank]);
  }
  list.linear(`${path}.o_proj`, [hidden, heads * value], bias);
}

function addExperts(list: ParameterList, args: Args, path: string): void {
  const { hidden_size: hidden, moe_intermediate_size: inner, n_routed_experts: count } = args;
  list.vector(`${path}.gate.weight`, [count, hidden]);
  list.vector(`${path}.gate.e_score_correction_bias`, [count]);
  list.mlp(`${path}.switch_mlp`, { hidden, inner }, { count });
  const shared = args.n_shared_experts;
  if (shared) list.mlp(`${path}.shared_experts`, { hidden, inner: inner * shared });
}

/** Experts that are stored one by one (`experts.7.up_proj`) are stacked to `switch_mlp.up_proj`. */
export function sanitize(args: Args): Sanitize {
  return (tensor, isStored) => {
    const [, path, module] = /^(.*\.mlp)\.switch_mlp\.(.*)$/.exec(tensor) ?? [];
    if (!path || !isStored(`${path}.experts.0.${module}`)) return undefined;
    return Array.from(
      { length: args.n_routed_experts },
      (_, expert) => `${path}.experts.${expert}.${module}`,
    );
  };
}

class Attention implements AttentionPart {
  /** latents and rotated keys, which all heads share */
  readonly cache = new KvCache();
  readonly #args: Args;
  readonly #queryDown: Linear | undefined;
  readonly #queryNorm: Tensor | undefined;
  readonly #query: Linear;
  readonly #latent: Linear;
  readonly #latentNorm: Tensor;
  /** queries into the latents' space and, transposed, latents into keys */
  readonly #keys: HeadLinear;
  /** whether `#keys` maps a query's dims with the transposed weight (embed_q) or as it is (rows of kv_b_proj) */
  readonly #absorbTransposed: boolean;
  readonly #values: HeadLinear;
  readonly #output: Linear;
  readonly #scale: number;

  constructor(args: Args, weights: Weights, path: string) {
    this.#args = args;
    if (args.q_lora_rank) {
      this.#queryDown = new Linear(weights.linear(`${path}.q_a_proj`));
      this.#queryNorm = weights.vector(`${path}.q_a_layernorm.weight`);
    }
    this.#query = new Linear(weights.linear(`${path}.${args.q_lora_rank ? 'q_b_proj' : 'q_proj'}`));
    this.#latent = new Linear(weights.linear(`${path}.kv_a_proj_with_mqa`));
    this.#latentNorm = weights.vector(`${path}.kv_a_layernorm.weight`);
    this.#absorbTransposed = weights.has(`${path}.embed_q.weight`);
    if (this.#absorbTransposed) {
      this.#keys = new HeadLinear(weights.linear(`${path}.embed_q`));
      this.#values = new HeadLinear(weights.linear(`${path}.unembed_out`));
    } else {
      const both = weights.linear(`${path}.kv_b_proj`);
      const heads = args.num_attention_heads;
      const split = args.qk_nope_head_dim;
      this.#keys = HeadLinear.fromRows(both, heads, 0, split);
      this.#values = HeadLinear.fromRows(both, heads, split, split + args.v_head_dim);
    }
    this.#output = new Linear(weights.linear(`${path}.o_proj`));
    const scaling = args.rope_scaling;
    const stretch = scaling.type === 'yarn' ? yarnScale(scaling.factor, scaling.mscale_all_dim) ** 2 : 1;
    this.#scale = (args.qk_nope_head_dim + args.qk_rope_head_dim) ** -0.5 * stretch;
  }

  forward(x: Tensor, { rows, rotation, masks }: StepContext): Tensor {
    const args = this.#args;
    const tokens = x.shape[0] as number;
    const heads = args.num_attention_heads;
    const queryDims = args.qk_nope_head_dim + args.qk_rope_head_dim;
    const down =
      this.#queryDown && this.#queryNorm
        ? mx.fast.rmsNorm(this.#queryDown.forward(x), this.#queryNorm, 1e-6)
        : x;
    const q = this.#query.forward(down).reshape(1, tokens, heads, queryDims).transpose(0, 2, 1, 3);
    const [qNope, qRope] = mx.split(q, [args.qk_nope_head_dim], -1) as [Tensor, Tensor];
    const [compressed, kRope] = mx.split(this.#latent.forward(x), [args.kv_lora_rank], -1) as [
      Tensor,
      Tensor,
    ];
    const latents = mx.fast
      .rmsNorm(compressed, this.#latentNorm, 1e-6)
      .reshape(1, 1, tokens, args.kv_lora_rank);
    const keys = rotation.apply(kRope.reshape(1, 1, tokens, args.qk_rope_head_dim));
    const queries = mx.multiply(rotation.apply(qRope), this.#scale);

    const out = perRow(rows, (row, place, part) => {
      const [allLatents, allKeys] = this.cache.append(row, [part(latents), part(keys)]);
      const scores = mx.matmul(part(queries), allKeys.swapaxes(2, 3)); // [1, heads, count, context]
      const mask = masks[place];
      if (!mask) return this.#decode(part(qNope), allLatents, scores);
      return this.#prefill(part(qNope), allLatents, mx.add(scores, mask.astype(scores.dtype)));
    });
    return this.#output.forward(out.transpose(0, 2, 1, 3).reshape(tokens, heads * args.v_head_dim));
  }

  /** Absorbed form: attention in the latents' own space, so that nothing is unpacked over the context. */
  #decode(q: Tensor, latents: Tensor, bias: Tensor): Tensor {
    const absorbed = this.#keys.forward(q, this.#absorbTransposed); // [1, heads, 1, loraRank]
    const mixed = mx.fast.scaledDotProductAttention(absorbed, latents, latents, this.#scale, bias);
    return this.#values.forward(mixed, true); // [1, heads, 1, vDim]
  }

  /** Plain form: keys and values of every head, which costs less from some tokens on. */
  #prefill(q: Tensor, latents: Tensor, bias: Tensor): Tensor {
    const keys = this.#keys.forward(latents, !this.#absorbTransposed); // [1, heads, context, nopeDims]
    const values = this.#values.forward(latents, true); // [1, heads, context, vDim]
    return mx.fast.scaledDotProductAttention(q, keys, values, this.#scale, bias);
  }
}

class Experts {
  readonly #args: Args;
  readonly #router: Tensor;
  readonly #correction: Tensor;
  readonly #routed: SwitchMlp;
  readonly #shared: Mlp | undefined;

  constructor(args: Args, weights: Weights, path: string) {
    this.#args = args;
    this.#router = weights.vector(`${path}.gate.weight`).swapaxes(0, 1);
    this.#correction = weights.vector(`${path}.gate.e_score_correction_bias`);
    this.#routed = new SwitchMlp(weights, `${path}.switch_mlp`, args.n_routed_experts);
    if (args.n_shared_experts) this.#shared = new Mlp(weights, `${path}.shared_experts`);
  }

  forward(x: Tensor): Tensor {
    const { indices, scores } = this.#route(x);
    const [tokens, chosen] = indices.shape as [number, number];
    const each = this.#routed.forward(x, indices); // [tokens, chosen, hidden]
    const routed = mx.matmul(scores.reshape(tokens, 1, chosen), each).reshape(...x.shape);
    return this.#shared ? mx.add(routed, this.#shared.forward(x)) : routed;
  }

  /** Sigmoid scores; the correction only chooses. Groups by the sum of their two best (arXiv 2412.19437, 2.1.2). */
  #route(x: Tensor): { indices: Tensor; scores: Tensor } {
    const {
      n_routed_experts: experts,
      n_group: groups,
      topk_group: kept,
      num_experts_per_tok: chosen,
    } = this.#args;
    const tokens = x.shape[0] as number;
    const scores = mx.sigmoid(mx.matmul(x, this.#router).astype(mx.float32)); // [tokens, experts]
    let choice = mx.add(scores, this.#correction);
    if (groups > 1 && kept < groups) {
      const grouped = choice.reshape(tokens, groups, experts / groups);
      const best = mx.topk(grouped, Math.min(2, experts / groups), -1).sum(-1, true); // [tokens, groups, 1]
      const worstKept = mx.topk(best, kept, 1).min(1, true); // [tokens, 1, 1]
      choice = mx.where(mx.greaterEqual(best, worstKept), grouped, 0).reshape(tokens, experts);
    }
    const indices = mx.argpartition(mx.negative(choice), chosen - 1, -1).index(ALL, mx.Slice(0, chosen)); // [tokens, chosen]
    let weights = mx.takeAlongAxis(scores, indices, -1);
    if (chosen > 1 && this.#args.norm_topk_prob) weights = mx.divide(weights, weights.sum(-1, true));
    return { indices, scores: mx.multiply(weights, this.#args.routed_scaling_factor).astype(x.dtype) };
  }
}

class Layer extends DecoderLayer {
  constructor(args: Args, weights: Weights, prefix: string, layer: number) {
    super(args, weights, prefix, {
      attention: new Attention(args, weights, `${prefix}.self_attn`),
      feedForward: hasExperts(args, layer)
        ? new Experts(args, weights, `${prefix}.mlp`)
        : new Mlp(weights, `${prefix}.mlp`),
    });
  }
}

export class Model extends Decoder {
  constructor(args: Args, range: LayerRange, weights: Weights) {
    const { qk_rope_head_dim: dims, rope_theta: base, rope_scaling: scaling } = args;
    const rope = new Rope({ dims, base, scaling, pairs: 'neighbours' });
    super(args, range, weights, rope, (prefix, layer) => new Layer(args, weights, prefix, layer));
  }
}
