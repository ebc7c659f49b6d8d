// What an architecture says of its parameters, and the check of a model folder against it. MLX itself serves random
// memory for a wrong shape, so nothing is loaded before every name, dtype and shape is as config.json asks.
import { EspalierError } from '../../protocol/errors.ts';
import {
  type ModelConfig,
  type ModelFolder,
  quantizationOf,
  readTensorInfos,
} from '../../protocol/model-folder.ts';
import type { DtypeName, TensorInfo } from '../../protocol/safetensors.ts';

/**
 * One parameter: a `linear` module (its path without `.weight`; [outputs, inputs], or [count, outputs, inputs] for
 * heads and experts), which may be quantized, or a plain `vector` tensor (its whole name, any shape).
 */
export interface ParameterSpec {
  kind: 'linear' | 'vector';
  path: string;
  shape: number[];
  /** a linear module's bias vector */
  bias?: boolean;
}

/** A tensor that has to be in the checkpoint. */
export interface ExpectedTensor {
  name: string;
  shape: number[];
  dtypes: readonly DtypeName[];
}

const FLOATS: readonly DtypeName[] = ['BF16', 'F16', 'F32'];

/** The tensors that one parameter is stored as under the config's quantization. */
export function expectedTensors(spec: ParameterSpec, config: ModelConfig): ExpectedTensor[] {
  if (spec.kind === 'vector') return [{ name: spec.path, shape: spec.shape, dtypes: FLOATS }];
  const outer = spec.shape.slice(0, -1);
  const inputs = spec.shape.at(-1) ?? 0;
  const bias = spec.bias ? [{ name: `${spec.path}.bias`, shape: outer, dtypes: FLOATS }] : [];
  const quantization = quantizationOf(config, spec.path);
  if (!quantization) return [{ name: `${spec.path}.weight`, shape: spec.shape, dtypes: FLOATS }, ...bias];
  const { bits, groupSize } = quantization;
  if (inputs % groupSize !== 0) {
    throw new EspalierError(
      'model_mismatch',
      `config.json quantizes ${spec.path} in groups of ${groupSize}, but its ${inputs} inputs are no multiple of that`,
    );
  }
  const groups = [...outer, inputs / groupSize];
  return [
    { name: `${spec.path}.weight`, shape: [...outer, (inputs * bits) / 32], dtypes: ['U32'] },
    { name: `${spec.path}.scales`, shape: groups, dtypes: FLOATS },
    { name: `${spec.path}.biases`, shape: groups, dtypes: FLOATS },
    ...bias,
  ];
}

/**
 * Checks that the folder holds every parameter with the dtype and shape that config.json asks for.
 * @returns the tensors in the order of the parameters
 * @throws EspalierError model_mismatch (the first tensor that is absent or differs), model_file_missing, model_file_damaged
 */
export async function checkParameters(
  folder: ModelFolder,
  specs: ParameterSpec[],
): Promise<ExpectedTensor[]> {
  const expected = specs.flatMap((spec) => expectedTensors(spec, folder.config));
  const infos = await readTensorInfos(
    folder,
    expected.map((tensor) => tensor.name),
  );
  for (const tensor of expected) checkTensor(tensor, infos.get(tensor.name), folder);
  return expected;
}

function checkTensor(expected: ExpectedTensor, found: TensorInfo | undefined, folder: ModelFolder): void {
  const { name, shape, dtypes } = expected;
  if (!found) {
    throw new EspalierError(
      'model_mismatch',
      `the weights in ${folder.dir} lack ${name}, which config.json asks for`,
    );
  }
  if (!dtypes.includes(found.dtype) || found.shape.join() !== shape.join()) {
    const file = folder.fileOf.get(name);
    throw new EspalierError(
      'model_mismatch',
      `${name} in ${file} is ${found.dtype} [${found.shape.join(', ')}], ` +
        `but config.json asks for ${dtypes.join(' or ')} [${shape.join(', ')}]`,
    );
  }
}
