// The config fields of DeepSeek R1 and of the models distilled from it, as far as sizes depend on them. Facts only.

/** What a config needs for its sizes; quantization is added by whoever asks. */
export interface SizedConfig {
  model_type: string;
  num_hidden_layers: number;
  hidden_size: number;
  vocab_size: number;
  max_position_embeddings: number;
  tie_word_embeddings: boolean;
  [field: string]: string | number | boolean;
}

export interface KnownModel {
  /** the name that its variants begin with */
  name: string;
  /** bits of the variants that people use; 16 is unquantized bfloat16 */
  bits: readonly number[];
  /** where the numbers are from: the config.json of that model on Hugging Face */
  source: string;
  config: SizedConfig;
}

const DISTILLED_BITS = [4, 8, 16] as const;
const CONTEXT_TOKENS = 131_072;

function qwen2(fields: Record<string, number>, layers: number, hidden: number, vocab: number): SizedConfig {
  return {
    model_type: 'qwen2',
    num_hidden_layers: layers,
    hidden_size: hidden,
    vocab_size: vocab,
    max_position_embeddings: CONTEXT_TOKENS,
    tie_word_embeddings: false,
    ...fields,
  };
}

export const KNOWN_MODELS: readonly KnownModel[] = [
  {
    name: 'deepseek-r1',
    bits: [3, 4, 8],
    source: 'deepseek-ai/DeepSeek-R1; R1-0528, V3 and V3.1 are of the same shape',
    config: {
      model_type: 'deepseek_v3',
      num_hidden_layers: 61,
      hidden_size: 7168,
      vocab_size: 129_280,
      max_position_embeddings: 163_840,
      tie_word_embeddings: false,
      intermediate_size: 18_432,
      moe_intermediate_size: 2048,
      num_attention_heads: 128,
      num_key_value_heads: 128,
      q_lora_rank: 1536,
      kv_lora_rank: 512,
      qk_nope_head_dim: 128,
      qk_rope_head_dim: 64,
      v_head_dim: 128,
      n_routed_experts: 256,
      n_shared_experts: 1,
      num_experts_per_tok: 8,
      first_k_dense_replace: 3,
    },
  },
  {
    name: 'deepseek-r1-distill-qwen-1.5b',
    bits: DISTILLED_BITS,
    source: 'deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B',
    config: qwen2(
      { intermediate_size: 8960, num_attention_heads: 12, num_key_value_heads: 2 },
      28,
      1536,
      151_936,
    ),
  },
  {
    name: 'deepseek-r1-distill-qwen-7b',
    bits: DISTILLED_BITS,
    source: 'deepseek-ai/DeepSeek-R1-Distill-Qwen-7B',
    config: qwen2(
      { intermediate_size: 18_944, num_attention_heads: 28, num_key_value_heads: 4 },
      28,
      3584,
      152_064,
    ),
  },
  {
    name: 'deepseek-r1-distill-qwen-14b',
    bits: DISTILLED_BITS,
    source: 'deepseek-ai/DeepSeek-R1-Distill-Qwen-14B',
    config: qwen2(
      { intermediate_size: 13_824, num_attention_heads: 40, num_key_value_heads: 8 },
      48,
      5120,
      152_064,
    ),
  },
  {
    name: 'deepseek-r1-distill-qwen-32b',
    bits: DISTILLED_BITS,
    source: 'deepseek-ai/DeepSeek-R1-Distill-Qwen-32B',
    config: qwen2(
      { intermediate_size: 27_648, num_attention_heads: 40, num_key_value_heads: 8 },
      64,
      5120,
      152_064,
    ),
  },
  {
    name: 'deepseek-r1-distill-llama-8b',
    bits: DISTILLED_BITS,
    source: 'deepseek-ai/DeepSeek-R1-Distill-Llama-8B',
    config: {
      model_type: 'llama',
      num_hidden_layers: 32,
      hidden_size: 4096,
      vocab_size: 128_256,
      max_position_embeddings: CONTEXT_TOKENS,
      tie_word_embeddings: false,
      intermediate_size: 14_336,
      num_attention_heads: 32,
      num_key_value_heads: 8,
    },
  },
  {
    name: 'deepseek-r1-distill-llama-70b',
    bits: DISTILLED_BITS,
    source: 'deepseek-ai/DeepSeek-R1-Distill-Llama-70B',
    config: {
      model_type: 'llama',
      num_hidden_layers: 80,
      hidden_size: 8192,
      vocab_size: 128_256,
      max_position_embeddings: CONTEXT_TOKENS,
      tie_word_embeddings: false,
      intermediate_size: 28_672,
      num_attention_heads: 64,
      num_key_value_heads: 8,
    },
  },
  {
    name: 'deepseek-r1-0528-qwen3-8b',
    bits: DISTILLED_BITS,
    source: 'deepseek-ai/DeepSeek-R1-0528-Qwen3-8B',
    config: {
      model_type: 'qwen3',
      num_hidden_layers: 36,
      hidden_size: 4096,
      vocab_size: 151_936,
      max_position_embeddings: CONTEXT_TOKENS,
      tie_word_embeddings: false,
      intermediate_size: 12_288,
      num_attention_heads: 32,
      num_key_value_heads: 8,
      head_dim: 128,
    },
  },
];
