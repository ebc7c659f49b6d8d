// A model folder in MLX format: config.json, one or several safetensors files with their index. Both the controller
// (for the model card) and the agents (for the weights) read it; neither trusts it before it is checked.
import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { EspalierError } from './errors.ts';
import { readSafetensorsHeader, type TensorInfo } from './safetensors.ts';

export const WEIGHTS_INDEX = 'model.safetensors.index.json';

const QuantizationChoice = z.object({
  group_size: z.union([z.literal(32), z.literal(64), z.literal(128)]),
  bits: z.union([z.literal(2), z.literal(3), z.literal(4), z.literal(6), z.literal(8)]),
  mode: z.literal('affine').optional(),
});

/** How a module's weights are packed: MLX's affine quantization, `bits` a weight, a scale and a bias a group. */
export interface Quantization {
  bits: number;
  groupSize: number;
}

/** The fields of config.json that every architecture has; each architecture's own Args parse the rest. */
const CommonConfig = z.looseObject({
  model_type: z.string(),
  num_hidden_layers: z.int().min(1),
  vocab_size: z.int().min(1),
  hidden_size: z.int().min(1),
  max_position_embeddings: z.int().min(1),
  tie_word_embeddings: z.boolean().nullish(),
  /** the choice for all, with the modules that differ by their path (an object, or false for unquantized) */
  quantization: z
    .looseObject({ group_size: z.int().min(1), bits: z.int().min(1) })
    .nullish()
    .transform((value) => value ?? undefined),
  /** other tools' packing; MLX's converter repeats `quantization` here */
  quantization_config: z.looseObject({ quant_method: z.string().optional() }).nullish(),
});
export type ModelConfig = z.infer<typeof CommonConfig>;

const Index = z.object({ weight_map: z.record(z.string(), z.string().regex(/^[^/\\]+\.safetensors$/)) });

/**
 * How a module is quantized: config.json's choice for all, unless it names the module's path.
 * @returns undefined for an unquantized module
 * @throws EspalierError model_unsupported for a choice that is not MLX's affine quantization
 */
export function quantizationOf(config: ModelConfig, path: string): Quantization | undefined {
  const all = config.quantization;
  if (!all) return undefined;
  const own = all[path];
  if (own === false) return undefined;
  const choice = QuantizationChoice.safeParse(own === undefined || own === true ? all : own);
  if (!choice.success) {
    throw new EspalierError(
      'model_unsupported',
      `config.json quantizes ${path} in a way that is not supported (${JSON.stringify(own ?? choice.error.issues[0]?.path)}): ` +
        'supported are affine, 2, 3, 4, 6 or 8 bits, groups of 32, 64 or 128',
    );
  }
  return { bits: choice.data.bits, groupSize: choice.data.group_size };
}

/** The bits that a packed number takes once it is loaded: MLX in node-mlx has no 3 and 6, so they become 4 and 8. */
export function loadedBits(bits: number): number {
  return bits === 3 ? 4 : bits === 6 ? 8 : bits;
}

/** Whether the head is the embedding: as config.json says; when it does not, because there is no other head. */
export function isHeadTied(
  config: { tie_word_embeddings?: boolean | null | undefined },
  has: (tensor: string) => boolean,
): boolean {
  return config.tie_word_embeddings ?? !has('lm_head.weight');
}

/** The weights files of a folder and their headers; by default the files themselves are read. */
export interface WeightHeaders {
  list(): Promise<string[]>;
  /** @throws EspalierError model_file_missing, model_file_damaged */
  read(file: string): Promise<Map<string, TensorInfo>>;
}

export interface ModelFolder {
  dir: string;
  headers: WeightHeaders;
  config: ModelConfig;
  /** sha256 of config.json and of what names the weights: equal on nodes that hold the same model */
  fingerprint: string;
  /** the file of a tensor by the tensor's name */
  fileOf: Map<string, string>;
}

/**
 * Reads config.json and the index (or, without one, the header of the only weights file) of a folder.
 * @param headers where the weights lie elsewhere
 * @throws EspalierError model_folder_missing, model_file_missing, model_file_damaged, model_mismatch, model_unsupported
 */
export async function openModelFolder(
  dir: string,
  headers: WeightHeaders = headersIn(dir),
): Promise<ModelFolder> {
  const info = await stat(dir).catch(() => undefined);
  if (!info?.isDirectory())
    throw new EspalierError('model_folder_missing', `there is no model folder ${dir}`);
  const configText = await readText(join(dir, 'config.json'));
  const config = parseConfig(configText, dir);
  const indexText = await readFile(join(dir, WEIGHTS_INDEX), 'utf8').catch(() => undefined);
  const hash = createHash('sha256').update(configText);
  const fileOf = new Map<string, string>();
  if (indexText !== undefined) {
    hash.update(indexText);
    for (const [tensor, file] of Object.entries(parseIndex(indexText, dir).weight_map))
      fileOf.set(tensor, file);
  } else {
    const file = await onlyWeightsFile(dir, headers);
    const header = await headers.read(file);
    hash.update(JSON.stringify([...header]));
    for (const tensor of header.keys()) fileOf.set(tensor, file);
  }
  refuseOtherPacking(config, fileOf, dir);
  return { dir, headers, config, fingerprint: hash.digest('hex'), fileOf };
}

/** Tensors that only other tools' packing has: float8 scales, GPTQ and AWQ, compressed-tensors. */
const FOREIGN = /\.(weight_scale_inv|weight_scale|qweight|weight_packed)$/;

function refuseOtherPacking(config: ModelConfig, fileOf: Map<string, string>, dir: string): void {
  const tensor = [...fileOf.keys()].find((name) => FOREIGN.test(name));
  if (tensor === undefined) return;
  const method = config.quantization_config?.quant_method ?? tensor.split('.').at(-1);
  throw new EspalierError(
    'model_unsupported',
    `the weights in ${dir} are packed by ${method} (${tensor}); supported are MLX's affine 2, 3, 4, 6 and 8 bits, ` +
      'bfloat16, float16 and float32: take a checkpoint that mlx_lm.convert has made',
  );
}

/**
 * The headers of every file that holds one of the named tensors, as one map over those tensors.
 * Names that the folder does not know are left out: who needs them says so.
 * @throws EspalierError model_file_missing, model_file_damaged, model_mismatch (a file without a tensor that the index puts there)
 */
export async function readTensorInfos(
  folder: ModelFolder,
  names: Iterable<string>,
): Promise<Map<string, TensorInfo>> {
  const byFile = new Map<string, string[]>();
  for (const name of names) {
    const file = folder.fileOf.get(name);
    if (file === undefined) continue;
    const list = byFile.get(file);
    if (list) list.push(name);
    else byFile.set(file, [name]);
  }
  const infos = new Map<string, TensorInfo>();
  for (const [file, tensors] of byFile) {
    const header = await folder.headers.read(file);
    for (const tensor of tensors) {
      const info = header.get(tensor);
      if (!info) {
        throw new EspalierError(
          'model_mismatch',
          `${file} in ${folder.dir} does not hold ${tensor}, which ${WEIGHTS_INDEX} puts there: it is the wrong file`,
        );
      }
      infos.set(tensor, info);
    }
  }
  return infos;
}

async function readText(path: string): Promise<string> {
  return readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new EspalierError('model_file_missing', `${path} cannot be read (${error.code ?? error.message})`);
  });
}

function parseConfig(text: string, dir: string): ModelConfig {
  const result = CommonConfig.safeParse(parseJson(text, join(dir, 'config.json')));
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw new EspalierError(
    'model_mismatch',
    `config.json in ${dir}: ${issue?.path.join('.')}: ${issue?.message}`,
  );
}

function parseIndex(text: string, dir: string): z.infer<typeof Index> {
  const result = Index.safeParse(parseJson(text, join(dir, WEIGHTS_INDEX)));
  if (result.success) return result.data;
  throw new EspalierError(
    'model_file_damaged',
    `${WEIGHTS_INDEX} in ${dir} has no weight_map from tensors to files`,
  );
}

/** The weights files that an index names. @throws EspalierError model_file_damaged */
export function indexedFiles(text: string): Set<string> {
  return new Set(Object.values(parseIndex(text, 'the repository').weight_map));
}

function parseJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new EspalierError('model_file_damaged', `${path} is not JSON (${(error as Error).message})`);
  }
}

function headersIn(dir: string): WeightHeaders {
  return {
    list: async () => (await readdir(dir)).filter((name) => name.endsWith('.safetensors')),
    read: (file) => readSafetensorsHeader(join(dir, file)),
  };
}

async function onlyWeightsFile(dir: string, headers: WeightHeaders): Promise<string> {
  const files = await headers.list();
  const [file] = files;
  if (file === undefined)
    throw new EspalierError('model_file_missing', `there are no weights (*.safetensors) in ${dir}`);
  if (files.length > 1) {
    throw new EspalierError(
      'model_file_missing',
      `${dir} holds ${files.length} weights files but no ${WEIGHTS_INDEX}`,
    );
  }
  return file;
}
