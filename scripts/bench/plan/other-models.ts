// Models that others published speeds of and that are not built in: their shapes, for the comparison alone.
import { sizedCard } from '../../../controller/models/builtin.ts';
import { cardOf } from '../../../controller/models/card-of.ts';
import type { SizedConfig } from '../../../controller/models/configs.ts';
import { modelTensors } from '../../../controller/models/tensors.ts';
import type { ModelCard } from '../../../protocol/plan.ts';

const KIMI_K2: SizedConfig = {
  model_type: 'deepseek_v3',
  num_hidden_layers: 61,
  hidden_size: 7168,
  vocab_size: 163_840,
  max_position_embeddings: 131_072,
  tie_word_embeddings: false,
  intermediate_size: 18_432,
  moe_intermediate_size: 2048,
  num_attention_heads: 64,
  num_key_value_heads: 64,
  q_lora_rank: 1536,
  kv_lora_rank: 512,
  qk_nope_head_dim: 128,
  qk_rope_head_dim: 64,
  v_head_dim: 128,
  n_routed_experts: 384,
  n_shared_experts: 1,
  num_experts_per_tok: 8,
  first_k_dense_replace: 1,
};

/** Moonshot's Kimi K2: the architecture of V3 with more experts and half the heads. */
export function kimiK2(bits: number): ModelCard {
  return sizedCard(`kimi-k2-${bits}bit`, KIMI_K2, bits);
}

/** K2 Thinking as its maker packs it: experts in 4 bits, groups of 32; everything else in bfloat16. */
export function kimiK2Thinking(): ModelCard {
  const packed = { bits: 4, group_size: 32 };
  const plain = [...modelTensors({ ...KIMI_K2, quantization: packed }).keys()]
    .filter((tensor) => tensor.endsWith('.scales') && !tensor.includes('.switch_mlp.'))
    .map((tensor) => [tensor.replace(/\.scales$/, ''), false] as const);
  const config = { ...KIMI_K2, quantization: { ...packed, ...Object.fromEntries(plain) } };
  return cardOf('kimi-k2-thinking', config, modelTensors(config));
}

/** Qwen3-235B-A22B: experts with grouped-query attention. */
export function qwen3Moe235b(bits: number): ModelCard {
  return sizedCard(
    `qwen3-235b-a22b-${bits}bit`,
    {
      model_type: 'qwen3_moe',
      num_hidden_layers: 94,
      hidden_size: 4096,
      vocab_size: 151_936,
      max_position_embeddings: 40_960,
      tie_word_embeddings: false,
      moe_intermediate_size: 1536,
      num_attention_heads: 64,
      num_key_value_heads: 4,
      head_dim: 128,
      num_experts: 128,
      num_experts_per_tok: 8,
    },
    bits,
  );
}

/** Qwen3-Coder-480B-A35B. */
export function qwen3Coder480b(bits: number): ModelCard {
  return sizedCard(
    `qwen3-coder-480b-a35b-${bits}bit`,
    {
      model_type: 'qwen3_moe',
      num_hidden_layers: 62,
      hidden_size: 6144,
      vocab_size: 151_936,
      max_position_embeddings: 262_144,
      tie_word_embeddings: false,
      moe_intermediate_size: 2560,
      num_attention_heads: 96,
      num_key_value_heads: 8,
      head_dim: 128,
      num_experts: 160,
      num_experts_per_tok: 8,
    },
    bits,
  );
}
