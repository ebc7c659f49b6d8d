// DeepSeek V3 and R1: multi-head latent attention (the KV is one compressed latent a token, shared by all heads) and
// a mixture of experts. Follows mlx-lm's deepseek_v3.py; parameter names are the checkpoint's.
import { z } from 'zod';
import type { LayerRange } from '../../../protocol/plan.ts';
import { LatentCache } from '../latent-cache.ts';
import { Embedding, HeadLinear, Linear } from '../linear.ts';
import { Mlp } from '../mlp.ts';
import { ALL, mx, type Tensor } from '../mlx.ts';
import type { ParameterSpec } from '../parameters.ts';
import { Rope, type Rotation, type YarnScaling, yarnScale } from '../rope.ts';
import type { Row, StageModel } from '../step.ts';
import { SwitchMlp } from '../switch-mlp.ts';
import type { Weights } from '../weights.ts';

const Yarn = z.looseObject({
  factor: z.number().min(1),
  original_max_position_embeddings: z.int().min(1),
  beta_fast: z.number().default(32),
  beta_slow: z.number().default(1),
  mscale: z.number().default(1),
  mscale_all_dim: z.number().default(0),
});

export const Args = z.looseObject({
  vocab_size: z.int().min(2),
  hidden_size: z.int().min(1),
  intermediate_size: z.int().min(1),
  moe_intermediate_size: z.int().min(1),
  num_hidden_layers: z.int().min(1),
  num_attention_heads: z.int().min(1),
  n_shared_experts: z.int().min(0).nullish(),
  n_routed_experts: z.int().min(1),
  num_experts_per_tok: z.int().min(1),
  n_group: z.int().min(1),
  topk_group: z.int().min(1),
  routed_scaling_factor: z.number(),
  topk_method: z.literal('noaux_tc'),
  scoring_func: z.literal('sigmoid'),
  norm_topk_prob: z.boolean(),
  moe_layer_freq: z.int().min(1).default(1),
  first_k_dense_replace: z.int().min(0),
  q_lora_rank: z.int().min(1).nullish(),
  kv_lora_rank: z.int().min(1),
  qk_nope_head_dim: z.int().min(1),
  qk_rope_head_dim: z.int().min(2).multipleOf(2),
  v_head_dim: z.int().min(1),
  rms_norm_eps: z.number(),
  rope_theta: z.number(),
  rope_scaling: Yarn.nullish(),
  attention_bias: z.boolean().default(false),
  tie_word_embeddings: z.boolean().default(false),
});
export type Args = z.infer<typeof Args>;

function hasExperts(args: Args, layer: number): boolean {
  return layer >= args.first_k_dense_replace && layer % args.moe_layer_freq === 0;
}

/** The parameters of layers `range`, with the embedding on the first stage and norm and head on the last. */
export function parameters(args: Args, range: LayerRange, has: (tensor: string) => boolean): ParameterSpec[] {
  const specs: ParameterSpec[] = [];
  const linear = (path: string, ...shape: number[]) => specs.push({ kind: 'linear', path, shape });
  const vector = (path: string, ...shape: number[]) => specs.push({ kind: 'vector', path, shape });
  const biased = (path: string, ...shape: number[]) =>
    specs.push({ kind: 'linear', path, shape, bias: args.attention_bias });
  const mlp = (path: string, inner: number, ...outer: number[]) => {
    linear(`${path}.gate_proj`, ...outer, inner, hidden);
    linear(`${path}.up_proj`, ...outer, inner, hidden);
    linear(`${path}.down_proj`, ...outer, hidden, inner);
  };
  const { hidden_size: hidden, num_attention_heads: heads, kv_lora_rank: kvRank } = args;
  const queryDims = args.qk_nope_head_dim + args.qk_rope_head_dim;

  if (range.start === 0) linear('model.embed_tokens', args.vocab_size, hidden);
  for (let layer = range.start; layer < range.end; layer++) {
    const prefix = `model.layers.${layer}`;
    const attention = `${prefix}.self_attn`;
    vector(`${prefix}.input_layernorm.weight`, hidden);
    vector(`${prefix}.post_attention_layernorm.weight`, hidden);
    if (args.q_lora_rank) {
      biased(`${attention}.q_a_proj`, args.q_lora_rank, hidden);
      vector(`${attention}.q_a_layernorm.weight`, args.q_lora_rank);
      linear(`${attention}.q_b_proj`, heads * queryDims, args.q_lora_rank);
    } else {
      linear(`${attention}.q_proj`, heads * queryDims, hidden);
    }
    biased(`${attention}.kv_a_proj_with_mqa`, kvRank + args.qk_rope_head_dim, hidden);
    vector(`${attention}.kv_a_layernorm.weight`, kvRank);
    if (has(`${attention}.embed_q.weight`)) {
      linear(`${attention}.embed_q`, heads, kvRank, args.qk_nope_head_dim);
      linear(`${attention}.unembed_out`, heads, args.v_head_dim, kvRank);
    } else {
      linear(`${attention}.kv_b_proj`, heads * (args.qk_nope_head_dim + args.v_head_dim), kvRank);
    }
    biased(`${attention}.o_proj`, hidden, heads * args.v_head_dim);
    if (!hasExperts(args, layer)) {
      mlp(`${prefix}.mlp`, args.intermediate_size);
      continue;
    }
    vector(`${prefix}.mlp.gate.weight`, args.n_routed_experts, hidden);
    vector(`${prefix}.mlp.gate.e_score_correction_bias`, args.n_routed_experts);
    mlp(`${prefix}.mlp.switch_mlp`, args.moe_intermediate_size, args.n_routed_experts);
    if (args.n_shared_experts) {
      mlp(`${prefix}.mlp.shared_experts`, args.moe_intermediate_size * args.n_shared_experts);
    }
  }
  if (range.end === args.num_hidden_layers) {
    vector('model.norm.weight', hidden);
    linear(args.tie_word_embeddings ? 'model.embed_tokens' : 'lm_head', args.vocab_size, hidden);
  }
  return specs;
}

/** What all layers share in one step. */
interface Prepared {
  rows: readonly Row[];
  rotation: Rotation;
  /** per row: additive room for the causal mask, [count, context] booleans; absent for single tokens */
  masks: (Tensor | undefined)[];
}

class Attention {
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
  readonly #caches = new Map<number, LatentCache>();

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
    const stretch = scaling?.mscale_all_dim ? yarnScale(scaling.factor, scaling.mscale_all_dim) ** 2 : 1;
    this.#scale = (args.qk_nope_head_dim + args.qk_rope_head_dim) ** -0.5 * stretch;
  }

  forward(x: Tensor, { rows, rotation, masks }: Prepared): Tensor {
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

    const outputs: Tensor[] = [];
    let begin = 0;
    rows.forEach((row, i) => {
      const end = begin + row.count;
      // a step of one row needs no slices
      const part = (tensor: Tensor) =>
        rows.length === 1 ? tensor : tensor.index(ALL, ALL, mx.Slice(begin, end), ALL);
      const kv = this.#cache(row.session).append(row.position, part(latents), part(keys));
      const scores = mx.matmul(part(queries), kv.keys.swapaxes(2, 3)); // [1, heads, count, context]
      const mask = masks[i];
      const bias = mask ? mx.where(mask, scores, Number.NEGATIVE_INFINITY) : scores;
      outputs.push(
        row.count === 1
          ? this.#decode(part(qNope), kv.latents, bias)
          : this.#prefill(part(qNope), kv.latents, bias),
      );
      begin = end;
    });
    const out = outputs.length === 1 ? (outputs[0] as Tensor) : mx.concatenate(outputs, 2);
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

  #cache(session: number): LatentCache {
    let cache = this.#caches.get(session);
    if (!cache) {
      cache = new LatentCache();
      this.#caches.set(session, cache);
    }
    return cache;
  }

  written(session: number): Tensor[] {
    return this.#caches.get(session)?.tensors ?? [];
  }

  drop(session: number): void {
    this.#caches.delete(session);
  }

  get kvByteLength(): number {
    return [...this.#caches.values()].reduce((sum, cache) => sum + cache.byteLength, 0);
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

class Layer {
  readonly attention: Attention;
  readonly #mlp: Mlp | Experts;
  readonly #inputNorm: Tensor;
  readonly #postNorm: Tensor;
  readonly #eps: number;

  constructor(args: Args, weights: Weights, layer: number) {
    const prefix = `model.layers.${layer}`;
    this.attention = new Attention(args, weights, `${prefix}.self_attn`);
    this.#mlp = hasExperts(args, layer)
      ? new Experts(args, weights, `${prefix}.mlp`)
      : new Mlp(weights, `${prefix}.mlp`);
    this.#inputNorm = weights.vector(`${prefix}.input_layernorm.weight`);
    this.#postNorm = weights.vector(`${prefix}.post_attention_layernorm.weight`);
    this.#eps = args.rms_norm_eps;
  }

  forward(hidden: Tensor, prepared: Prepared): Tensor {
    const attended = mx.add(
      hidden,
      this.attention.forward(mx.fast.rmsNorm(hidden, this.#inputNorm, this.#eps), prepared),
    );
    return mx.add(attended, this.#mlp.forward(mx.fast.rmsNorm(attended, this.#postNorm, this.#eps)));
  }
}

export class Model implements StageModel {
  readonly #args: Args;
  readonly #layers: Layer[] = [];
  readonly #rope: Rope;
  readonly #embedding: Embedding | undefined;
  readonly #norm: Tensor | undefined;
  readonly #head: Linear | undefined;

  constructor(args: Args, range: LayerRange, weights: Weights) {
    this.#args = args;
    this.#rope = new Rope(
      args.qk_rope_head_dim,
      args.rope_theta,
      (args.rope_scaling ?? undefined) as YarnScaling | undefined,
    );
    for (let layer = range.start; layer < range.end; layer++)
      this.#layers.push(new Layer(args, weights, layer));
    if (range.start === 0) this.#embedding = new Embedding(weights.linear('model.embed_tokens'));
    if (range.end === args.num_hidden_layers) {
      this.#norm = weights.vector('model.norm.weight');
      this.#head = new Linear(weights.linear(args.tie_word_embeddings ? 'model.embed_tokens' : 'lm_head'));
    }
  }

  get layerCount(): number {
    return this.#layers.length;
  }

  embed(ids: Tensor): Tensor {
    if (!this.#embedding) throw new Error('only the first stage holds the embedding');
    return this.#embedding.forward(ids);
  }

  prepare(rows: readonly Row[]): Prepared {
    const positions = rows.flatMap((row) => Array.from({ length: row.count }, (_, i) => row.position + i));
    const masks = rows.map(({ position, count }) => {
      if (count === 1) return undefined;
      const context = position + count;
      const query = mx.add(mx.arange(count, mx.int32).reshape(count, 1), position);
      return mx.greaterEqual(query, mx.arange(context, mx.int32).reshape(1, context));
    });
    return { rows, rotation: this.#rope.rotation(positions), masks };
  }

  layer(index: number, hidden: Tensor, prepared: Prepared): Tensor {
    return (this.#layers[index] as Layer).forward(hidden, prepared);
  }

  head(hidden: Tensor): Tensor {
    if (!this.#norm || !this.#head) throw new Error('only the last stage holds the head');
    return this.#head.forward(mx.fast.rmsNorm(hidden, this.#norm, this.#args.rms_norm_eps));
  }

  drop(session: number): void {
    for (const layer of this.#layers) layer.attention.drop(session);
  }

  written(index: number, rows: readonly Row[]): Tensor[] {
    const { attention } = this.#layers[index] as Layer;
    return rows.flatMap((row) => attention.written(row.session));
  }

  get kvByteLength(): number {
    return this.#layers.reduce((sum, { attention }) => sum + attention.kvByteLength, 0);
  }
}
