// The model card of a folder: what the planner needs to know, from config.json and the weights' headers alone.
import { basename } from 'node:path';
import {
  isHeadTied,
  loadedBits,
  type ModelConfig,
  type ModelFolder,
  quantizationOf,
  readTensorInfos,
} from '../../protocol/model-folder.ts';
import type { ModelCard } from '../../protocol/plan.ts';
import type { TensorInfo } from '../../protocol/safetensors.ts';

/** Bytes of a value of KV: stages on the CPU compute in float32; on Metal it is half of this. */
const KV_VALUE_BYTES = 4;

/**
 * The card of a model folder. Bytes are what a stage holds of the weights once they are loaded.
 * @param id shown to users; the folder's name when undefined
 * @throws EspalierError model_file_missing, model_file_damaged, model_mismatch
 */
export async function readModelCard(folder: ModelFolder, id?: string): Promise<ModelCard> {
  const { config } = folder;
  const infos = await readTensorInfos(folder, folder.fileOf.keys());
  const layerBytes = new Array<number>(config.num_hidden_layers).fill(0);
  let embeddingBytes = 0;
  let headBytes = 0;
  const isTied = isHeadTied(config, (tensor) => infos.has(tensor));
  for (const [name, info] of infos) {
    const bytes = loadedBytes(config, name, info);
    const layer = /^model\.layers\.(\d+)\./.exec(name)?.[1];
    if (name.startsWith('model.embed_tokens.')) {
      embeddingBytes += bytes;
      // the last stage holds a tied embedding once more
      if (isTied) headBytes += bytes;
    } else if (layer === undefined) headBytes += bytes;
    // layers past the last one are for predicting further tokens in training: nobody loads them
    else if (Number(layer) < layerBytes.length)
      layerBytes[Number(layer)] = (layerBytes[Number(layer)] ?? 0) + bytes;
  }
  return {
    id: id ?? basename(folder.dir),
    architecture: config.model_type,
    layerCount: config.num_hidden_layers,
    vocabSize: config.vocab_size,
    attentionHeads: numberIn(config, 'num_attention_heads') || 1,
    contextTokens: config.max_position_embeddings,
    quantization: config.quantization ? `${config.quantization.bits}-bit` : 'unquantized',
    layerBytes,
    embeddingBytes,
    headBytes,
    kvBytesPerTokenLayer: kvValuesPerToken(config) * KV_VALUE_BYTES,
  };
}

/** What a tensor takes in memory: as in its file, but packed numbers of 3 and 6 bits are widened at load. */
function loadedBytes(config: ModelConfig, tensor: string, { dtype, byteLength }: TensorInfo): number {
  if (dtype !== 'U32') return byteLength;
  // config.json names the experts' modules as stacked, also where they are stored one by one
  const path = tensor.replace(/\.weight$/, '').replace(/\.experts\.\d+\./, '.switch_mlp.');
  const bits = quantizationOf(config, path)?.bits;
  return bits === undefined ? byteLength : (byteLength * loadedBits(bits)) / bits;
}

/** Multi-head latent attention keeps one latent and one rotated key a token (DeepSeek-V2, section 2.1). */
function kvValuesPerToken(config: ModelConfig): number {
  const number = (key: string) => numberIn(config, key);
  const latent = number('kv_lora_rank');
  if (latent > 0) return latent + number('qk_rope_head_dim');
  const heads = number('num_attention_heads');
  const headDim = number('head_dim') || config.hidden_size / Math.max(heads, 1);
  return 2 * (number('num_key_value_heads') || heads) * headDim;
}

function numberIn(config: ModelConfig, key: string): number {
  const value = config[key];
  return typeof value === 'number' ? value : 0;
}
