// Which tensors a model consists of, with their shapes and sizes, from its config alone: what the headers of its files
// would say, for models that nobody has on a disk yet. Names and layout are those that mlx-lm's converter writes.
import { type ModelConfig, quantizationOf } from '../../protocol/model-folder.ts';
import type { DtypeName, TensorInfo } from '../../protocol/safetensors.ts';
import { numberIn } from './card-of.ts';

/** Scales and biases, norms, the router, and everything of an unquantized model. */
const FLOAT: DtypeName = 'BF16';
const FLOAT_BYTES = 2;

/**
 * The headers that the files of a model have.
 * Follows mlx-lm's deepseek_v3.py, qwen2.py, qwen3.py and llama.py.
 */
export function modelTensors(config: ModelConfig): Map<string, TensorInfo> {
  const list = new TensorList(config);
  const { hidden_size: hidden, vocab_size: vocab } = config;
  list.linear('model.embed_tokens', [vocab, hidden]);
  for (let layer = 0; layer < config.num_hidden_layers; layer++) addLayer(list, config, layer);
  list.vector('model.norm.weight', [hidden]);
  if (config.tie_word_embeddings !== true) list.linear('lm_head', [vocab, hidden]);
  return list.infos;
}

class TensorList {
  readonly infos = new Map<string, TensorInfo>();
  readonly #config: ModelConfig;

  constructor(config: ModelConfig) {
    this.#config = config;
  }

  /** A plain tensor. */
  vector(name: string, shape: number[]): void {
    this.#add(name, FLOAT, shape, FLOAT_BYTES);
  }

  /** A module's weight [outputs, inputs], or stacked [experts, outputs, inputs], packed as config.json says. */
  linear(path: string, shape: number[], bias = false): void {
    const quantization = quantizationOf(this.#config, path);
    const outer = shape.slice(0, -1);
    const inputs = shape.at(-1) ?? 0;
    if (bias) this.vector(`${path}.bias`, outer);
    if (!quantization) {
      this.vector(`${path}.weight`, shape);
      return;
    }
    const { bits, groupSize } = quantization;
    this.#add(`${path}.weight`, 'U32', [...outer, (inputs * bits) / 32], 4);
    this.vector(`${path}.scales`, [...outer, inputs / groupSize]);
    this.vector(`${path}.biases`, [...outer, inputs / groupSize]);
  }

  /** A gated feed-forward block. @param count how many are stacked */
  mlp(path: string, inner: number, count?: number): void {
    const hidden = this.#config.hidden_size;
    const outer = count === undefined ? [] : [count];
    this.linear(`${path}.gate_proj`, [...outer, inner, hidden]);
    this.linear(`${path}.up_proj`, [...outer, inner, hidden]);
    this.linear(`${path}.down_proj`, [...outer, hidden, inner]);
  }

  #add(name: string, dtype: DtypeName, shape: number[], valueBytes: number): void {
    const byteLength = shape.reduce((product, size) => product * size, valueBytes);
    this.infos.set(name, { dtype, shape, byteLength });
  }
}

function addLayer(list: TensorList, config: ModelConfig, layer: number): void {
  const prefix = `model.layers.${layer}`;
  list.vector(`${prefix}.input_layernorm.weight`, [config.hidden_size]);
  list.vector(`${prefix}.post_attention_layernorm.weight`, [config.hidden_size]);
  if (numberIn(config, 'kv_lora_rank') > 0) addLatentAttention(list, config, `${prefix}.self_attn`);
  else addGroupedAttention(list, config, `${prefix}.self_attn`);
  addFeedForward(list, config, layer, `${prefix}.mlp`);
}

function addLatentAttention(list: TensorList, config: ModelConfig, path: string): void {
  const number = (key: string) => numberIn(config, key);
  const hidden = config.hidden_size;
  const heads = number('num_attention_heads');
  const keyDim = number('qk_nope_head_dim') + number('qk_rope_head_dim');
  const queryLatent = number('q_lora_rank');
  const latent = number('kv_lora_rank');
  if (queryLatent > 0) {
    list.linear(`${path}.q_a_proj`, [queryLatent, hidden]);
    list.vector(`${path}.q_a_layernorm.weight`, [queryLatent]);
    list.linear(`${path}.q_b_proj`, [heads * keyDim, queryLatent]);
  } else list.linear(`${path}.q_proj`, [heads * keyDim, hidden]);
  list.linear(`${path}.kv_a_proj_with_mqa`, [latent + number('qk_rope_head_dim'), hidden]);
  list.vector(`${path}.kv_a_layernorm.weight`, [latent]);
  list.linear(`${path}.kv_b_proj`, [heads * (number('qk_nope_head_dim') + number('v_head_dim')), latent]);
  list.linear(`${path}.o_proj`, [hidden, heads * number('v_head_dim')]);
}

function addGroupedAttention(list: TensorList, config: ModelConfig, path: string): void {
  const number = (key: string) => numberIn(config, key);
  const hidden = config.hidden_size;
  const heads = number('num_attention_heads');
  const keyHeads = number('num_key_value_heads') || heads;
  const headDim = number('head_dim') || hidden / heads;
  // Qwen 2 adds biases to queries, keys and values without a word in its config
  const hasBias = config.model_type === 'qwen2';
  list.linear(`${path}.q_proj`, [heads * headDim, hidden], hasBias);
  list.linear(`${path}.k_proj`, [keyHeads * headDim, hidden], hasBias);
  list.linear(`${path}.v_proj`, [keyHeads * headDim, hidden], hasBias);
  list.linear(`${path}.o_proj`, [hidden, heads * headDim]);
  if (!config.model_type.startsWith('qwen3')) return;
  list.vector(`${path}.q_norm.weight`, [headDim]);
  list.vector(`${path}.k_norm.weight`, [headDim]);
}

function addFeedForward(list: TensorList, config: ModelConfig, layer: number, path: string): void {
  const number = (key: string) => numberIn(config, key);
  const experts = number('n_routed_experts') || number('num_experts');
  if (experts === 0 || layer < number('first_k_dense_replace')) {
    list.mlp(path, number('intermediate_size'));
    return;
  }
  const inner = number('moe_intermediate_size');
  // mlx-lm's router is a plain tensor there and a module elsewhere
  if (config.model_type === 'deepseek_v3') {
    list.vector(`${path}.gate.weight`, [experts, config.hidden_size]);
    list.vector(`${path}.gate.e_score_correction_bias`, [experts]);
  } else list.linear(`${path}.gate`, [experts, config.hidden_size]);
  list.mlp(`${path}.switch_mlp`, inner, experts);
  if (number('n_shared_experts') > 0) list.mlp(`${path}.shared_experts`, inner * number('n_shared_experts'));
}
