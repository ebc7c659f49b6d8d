// The model card of a config and of the headers of its weights, wherever they come from: a folder, or a list that was
// written from the config alone. Pure; it must not know files, nodes or plans.
import { isHeadTied, loadedBits, type ModelConfig, quantizationOf } from '../../protocol/model-folder.ts';
import type { ModelCard } from '../../protocol/plan.ts';
import type { TensorInfo } from '../../protocol/safetensors.ts';

const LAYER = /^model\.layers\.(\d+)\./;
const EMBEDDING = 'model.embed_tokens.';
/** Routed experts, stacked as mlx-lm stores them or one by one as the makers did. */
const ROUTED = /\.mlp\.(switch_mlp|experts\.\d+)\./;
/** A multiplication and an addition for each weight that a token meets. */
const FLOPS_PER_WEIGHT = 2;

/**
 * The card of a model. Bytes are what a stage holds of the weights once they are loaded; flops count the matrix products.
 * @param infos every tensor's header by its name
 * @throws EspalierError model_unsupported for a packing that is not MLX's
 */
export function cardOf(id: string, config: ModelConfig, infos: ReadonlyMap<string, TensorInfo>): ModelCard {
  const layerCount = config.num_hidden_layers;
  const zeros = () => new Array<number>(layerCount).fill(0);
  const layerBytes = zeros();
  const routedLayerBytes = zeros();
  const layerFlops = zeros();
  const experts = expertsOf(config);
  const chosenShare = experts ? experts.chosen / experts.total : 1;
  let embeddingBytes = 0;
  let headBytes = 0;
  let headFlops = 0;
  let fileBytes = 0;
  const isTied = isHeadTied(config, (tensor) => infos.has(tensor));
  for (const [name, info] of infos) {
    const { bytes, weights } = sizeOf(config, name, info);
    const flops = FLOPS_PER_WEIGHT * weights;
    const layer = LAYER.exec(name)?.[1];
    // layers past the last one are for predicting further tokens in training: nobody loads them
    if (layer !== undefined && Number(layer) >= layerCount) continue;
    fileBytes += info.byteLength;
    if (name.startsWith(EMBEDDING)) {
      embeddingBytes += bytes;
      // the last stage holds a tied embedding once more
      if (isTied) {
        headBytes += bytes;
        headFlops += flops;
      }
    } else if (layer === undefined) {
      headBytes += bytes;
      headFlops += flops;
    } else {
      const isRouted = ROUTED.test(name);
      add(layerBytes, Number(layer), bytes);
      add(routedLayerBytes, Number(layer), isRouted ? bytes : 0);
      add(layerFlops, Number(layer), isRouted ? flops * chosenShare : flops);
    }
  }
  return {
    id,
    architecture: config.model_type,
    layerCount,
    vocabSize: config.vocab_size,
    hiddenSize: config.hidden_size,
    attentionHeads: attentionHeads(config),
    contextTokens: config.max_position_embeddings,
    quantization: config.quantization ? `${config.quantization.bits}-bit` : 'unquantized',
    layerKinds: routedLayerBytes.map((bytes) => (bytes > 0 ? 'experts' : 'dense')),
    layerBytes,
    routedLayerBytes,
    experts,
    embeddingBytes,
    headBytes,
    fileBytes,
    layerFlops,
    headFlops,
    attentionPairFlops: attentionPairFlops(config),
    hasLatentAttention: hasLatentAttention(config),
    kvValuesPerTokenLayer: kvValuesPerToken(config),
  };
}

/** Bytes of all weights in memory, on however many nodes. */
export function modelBytes(card: ModelCard): number {
  return card.layerBytes.reduce((sum, bytes) => sum + bytes, card.embeddingBytes + card.headBytes);
}

/** A tensor in memory, and how many weights of matrices it holds. Packed 3 and 6 bits are widened at load. */
function sizeOf(
  config: ModelConfig,
  tensor: string,
  { dtype, shape, byteLength }: TensorInfo,
): { bytes: number; weights: number } {
  const count = shape.reduce((product, size) => product * size, 1);
  // scales and biases of packed weights, norms and bias vectors are no products of their own
  const isMatrix = tensor.endsWith('.weight') && shape.length > 1;
  if (dtype !== 'U32') return { bytes: byteLength, weights: isMatrix ? count : 0 };
  // config.json names the experts' modules as stacked, also where they are stored one by one
  const path = tensor.replace(/\.weight$/, '').replace(/\.experts\.\d+\./, '.switch_mlp.');
  const bits = quantizationOf(config, path)?.bits;
  if (bits === undefined) return { bytes: byteLength, weights: 0 };
  return { bytes: (byteLength * loadedBits(bits)) / bits, weights: (byteLength * 8) / bits };
}

function expertsOf(config: ModelConfig): ModelCard['experts'] {
  const total = numberIn(config, 'n_routed_experts') || numberIn(config, 'num_experts');
  const chosen = numberIn(config, 'num_experts_per_tok');
  return total > 0 && chosen > 0 ? { total, chosen: Math.min(chosen, total) } : null;
}

/** Multi-head latent attention keeps one latent and one rotated key a token (DeepSeek-V2, section 2.1). */
function kvValuesPerToken(config: ModelConfig): number {
  const latent = numberIn(config, 'kv_lora_rank');
  if (latent > 0) return latent + numberIn(config, 'qk_rope_head_dim');
  return 2 * (numberIn(config, 'num_key_value_heads') || attentionHeads(config)) * headDim(config);
}

/** Scores and their sum over values, for each head; latent attention in its plain form, as prefill computes it. */
function attentionPairFlops(config: ModelConfig): number {
  const isLatent = hasLatentAttention(config);
  const key = isLatent
    ? numberIn(config, 'qk_nope_head_dim') + numberIn(config, 'qk_rope_head_dim')
    : headDim(config);
  const value = isLatent ? numberIn(config, 'v_head_dim') : headDim(config);
  return FLOPS_PER_WEIGHT * attentionHeads(config) * (key + value);
}

function hasLatentAttention(config: ModelConfig): boolean {
  return numberIn(config, 'kv_lora_rank') > 0;
}

function attentionHeads(config: ModelConfig): number {
  return numberIn(config, 'num_attention_heads') || 1;
}

function headDim(config: ModelConfig): number {
  return numberIn(config, 'head_dim') || config.hidden_size / attentionHeads(config);
}

function add(values: number[], place: number, value: number): void {
  values[place] = (values[place] ?? 0) + value;
}

/** @returns 0 for what is absent or no number */
export function numberIn(config: ModelConfig, key: string): number {
  const value = config[key];
  return typeof value === 'number' ? value : 0;
}
