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
  type StepContext,
} from '../decoder.ts';
import { ExpertRouter } from '../expert-router.ts';
import { KvCache } from '../kv-cache.ts';
import { LatentAttention, type LatentHeads } from '../latent-attention.ts';
import { HeadLinear, Linear } from '../linear.ts';
import { Mlp } from '../mlp.ts';
import { mx, type Tensor } from '../mlx.ts';
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
  readonly cache = new KvCache();
  readonly #args: Args;
  /** side by side: what becomes queries (in a compressed form, where the model has one), latents and keys */
  readonly #down: Linear;
  readonly #queryNorm: Tensor | undefined;
  readonly #query: Linear | undefined;
  readonly #latentNorm: Tensor;
  readonly #latent: LatentAttention;
  readonly #output: Linear;
  readonly #scale: number;

  constructor(args: Args, weights: Weights, path: string) {
    this.#args = args;
    const queryDown = `${path}.${args.q_lora_rank ? 'q_a_proj' : 'q_proj'}`;
    this.#down = new Linear(weights, queryDown, `${path}.kv_a_proj_with_mqa`);
    if (args.q_lora_rank) {
      this.#queryNorm = weights.vector(`${path}.q_a_layernorm.weight`);
      this.#query = new Linear(weights, `${path}.q_b_proj`);
    }
    this.#latentNorm = weights.vector(`${path}.kv_a_layernorm.weight`);
    this.#latent = new LatentAttention(this.cache, latentHeads(args, weights, path));
    this.#output = new Linear(weights, `${path}.o_proj`);
    const scaling = args.rope_scaling;
    const stretch = scaling.type === 'yarn' ? yarnScale(scaling.factor, scaling.mscale_all_dim) ** 2 : 1;
    this.#scale = (args.qk_nope_head_dim + args.qk_rope_head_dim) ** -0.5 * stretch;
  }

  forward(x: Tensor, { rows, rotation, masks }: StepContext): Tensor {
    const { num_attention_heads: heads, qk_nope_head_dim: nope, qk_rope_head_dim: rope } = this.#args;
    const { kv_lora_rank: rank, v_head_dim: valueDims } = this.#args;
    const tokens = x.shape[0] as number;
    const queryEnd = this.#args.q_lora_rank ?? heads * (nope + rope);
    const down = mx.split(this.#down.forward(x), [queryEnd, queryEnd + rank], -1);
    const [forQueries, compressed, forKeys] = down as [Tensor, Tensor, Tensor];
    const flat =
      this.#query && this.#queryNorm
        ? this.#query.forward(mx.fast.rmsNorm(forQueries, this.#queryNorm, 1e-6))
        : forQueries;
    const scaled = mx.multiply(flat, this.#scale).reshape(tokens, heads, nope + rope);
    const [queries, forRotation] = mx.split(scaled, [nope], -1) as [Tensor, Tensor];
    const attended = this.#latent.forward(rows, masks, {
      queries,
      rotatedQueries: rotation.apply(forRotation),
      latents: mx.fast.rmsNorm(compressed, this.#latentNorm, 1e-6).reshape(tokens, 1, rank),
      keys: rotation.apply(forKeys.reshape(tokens, 1, rope)),
    });
    return this.#output.forward(attended.reshape(tokens, heads * valueDims));
  }
}

function latentHeads(args: Args, weights: Weights, path: string): LatentHeads {
  const { num_attention_heads: heads, kv_lora_rank: rank } = args;
  const { qk_nope_head_dim: nopeDims, v_head_dim: valueDims } = args;
  const dims = { rank, nopeDims, valueDims };
  if (weights.has(`${path}.embed_q.weight`)) {
    const keys = HeadLinear.of(weights, `${path}.embed_q`);
    return { keys, values: HeadLinear.of(weights, `${path}.unembed_out`), dims };
  }
  const ofRows = (begin: number, end: number, inputs: 'rows' | 'columns') =>
    HeadLinear.ofRows(weights, `${path}.kv_b_proj`, { heads, begin, end, inputs });
  const values = ofRows(nopeDims, nopeDims + valueDims, 'columns');
  return { keys: ofRows(0, nopeDims, 'rows'), values, dims };
}

class Experts {
  readonly #router: ExpertRouter;
  readonly #routed: SwitchMlp;
  readonly #shared: Mlp | undefined;

  constructor(args: Args, weights: Weights, path: string) {
    this.#router = new ExpertRouter(
      {
        weight: weights.vector(`${path}.gate.weight`),
        correction: weights.vector(`${path}.gate.e_score_correction_bias`),
      },
      {
        groups: args.n_group,
        keptGroups: args.topk_group,
        chosen: args.num_experts_per_tok,
        isNormed: args.norm_topk_prob,
        factor: args.routed_scaling_factor,
      },
    );
    this.#routed = new SwitchMlp(weights, `${path}.switch_mlp`);
    if (args.n_shared_experts) this.#shared = new Mlp(weights, `${path}.shared_experts`);
  }

  forward(x: Tensor): Tensor {
    const routed = this.#routed.forward(x, this.#router);
    return this.#shared ? mx.add(routed, this.#shared.forward(x)) : routed;
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
