// What an architecture says of its parameters, and the check of a model folder against it. MLX itself serves random
// memory for a wrong shape, so nothing is loaded before every name, dtype and shape is as config.json asks.
import { EspalierError } from '../../protocol/errors.ts';
import { type ModelFolder, readTensorInfos } from '../../protocol/model-folder.ts';
import type { DtypeName, TensorInfo } from '../../protocol/safetensors.ts';
import type { Checkpoint } from './checkpoint.ts';

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
  /** the part of the model that it is loaded and freed with */
  part: string;
}

/** An architecture's parameters while they are being listed. */
export class ParameterList {
  readonly specs: ParameterSpec[] = [];
  #part = '';

  /** What is added from now on belongs to this part. */
  begin(part: string): void {
    this.#part = part;
  }

  linear(path: string, shape: number[], bias = false): void {
    this.specs.push({ kind: 'linear', path, shape, bias, part: this.#part });
  }

  vector(path: string, shape: number[]): void {
    this.specs.push({ kind: 'vector', path, shape, part: this.#part });
  }

  /**
   * A gated feed-forward block: gate_proj, up_proj and down_proj of the module at `path`.
   * @param widths of its input and of the product inside @param count how many are stacked; absent for one alone
   */
  mlp(
    path: string,
    widths: { hidden: number; inner: number },
    options: { bias?: boolean; count?: number } = {},
  ) {
    const { hidden, inner } = widths;
    const outer = options.count === undefined ? [] : [options.count];
    this.linear(`${path}.gate_proj`, [...outer, inner, hidden], options.bias);
    this.linear(`${path}.up_proj`, [...outer, inner, hidden], options.bias);
    this.linear(`${path}.down_proj`, [...outer, hidden, inner], options.bias);
  }
}

/** A tensor that has to be in the checkpoint. */
export interface ExpectedTensor {
  name: string;
  shape: number[];
  dtypes: readonly DtypeName[];
  /** the stored tensors that are stacked to this one along its first axis; absent when it is stored under its name */
  parts?: readonly string[];
  /** of a packed weight: bits of one number */
  bits?: number;
}

const FLOATS: readonly DtypeName[] = ['BF16', 'F16', 'F32'];

/** The tensors that one parameter is stored as under the config's quantization. */
export function expectedTensors(spec: ParameterSpec, checkpoint: Checkpoint): ExpectedTensor[] {
  const expect = (name: string, shape: number[], dtypes = FLOATS): ExpectedTensor => {
    const parts = checkpoint.parts(name);
    return { name, shape, dtypes, ...(parts && { parts }) };
  };
  if (spec.kind === 'vector') return [expect(spec.path, spec.shape)];
  const outer = spec.shape.slice(0, -1);
  const inputs = spec.shape.at(-1) ?? 0;
  const bias = spec.bias ? [expect(`${spec.path}.bias`, outer)] : [];
  const quantization = checkpoint.quantization(spec.path);
  if (!quantization) return [expect(`${spec.path}.weight`, spec.shape), ...bias];
  const { bits, groupSize } = quantization;
  if (inputs % groupSize !== 0) {
    throw new EspalierError(
      'model_mismatch',
      `config.json quantizes ${spec.path} in groups of ${groupSize}, but its ${inputs} inputs are no multiple of that`,
    );
  }
  const groups = [...outer, inputs / groupSize];
  return [
    { ...expect(`${spec.path}.weight`, [...outer, (inputs * bits) / 32], ['U32']), bits },
    expect(`${spec.path}.scales`, groups),
    expect(`${spec.path}.biases`, groups),
    ...bias,
  ];
}

/** The tensors of parameters, in their order. @throws EspalierError model_mismatch where they cannot be quantized so */
export function tensorsOf(checkpoint: Checkpoint, specs: readonly ParameterSpec[]): ExpectedTensor[] {
  return specs.flatMap((spec) => expectedTensors(spec, checkpoint));
}

/**
 * Checks that the folder holds every parameter with the dtype and shape that config.json asks for.
 * @throws EspalierError model_mismatch (the first tensor that is absent or differs), model_file_missing, model_file_damaged
 */
export async function checkParameters(
  checkpoint: Checkpoint,
  specs: readonly ParameterSpec[],
): Promise<void> {
  const { folder } = checkpoint;
  const expected = tensorsOf(checkpoint, specs);
  const infos = await readTensorInfos(
    folder,
    expected.flatMap(({ name, parts }) => parts ?? [name]),
  );
  for (const { name, shape, dtypes, parts } of expected) {
    if (!parts) {
      checkTensor({ name, shape, dtypes }, infos.get(name), folder);
      continue;
    }
    for (const part of parts)
      checkTensor({ name: part, shape: shape.slice(1), dtypes }, infos.get(part), folder);
  }
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
