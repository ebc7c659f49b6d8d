// Loads the checked tensors of one stage and hands them out by name. Everything that a computation would otherwise
// convert at each call is converted here, once.
import { join } from 'node:path';
import { loadedBits, type Quantization } from '../../protocol/model-folder.ts';
import type { Checkpoint } from './checkpoint.ts';
import { type Dtype, mx, ON_GPU, type Tensor } from './mlx.ts';
import { repack } from './packing.ts';
import { checkParameters, type ParameterSpec } from './parameters.ts';

/** A linear module's tensors; `quantization` (as they are packed here) is absent for a plain weight. */
export interface LinearWeights {
  weight: Tensor;
  scales?: Tensor;
  biases?: Tensor;
  bias?: Tensor;
  quantization?: Quantization;
  /** the floating point type of the scales (or of a plain weight) in the checkpoint, before any conversion */
  stored: Dtype;
}

/**
 * The floating point type that a stage computes in: float32 on the CPU, where node-mlx multiplies nothing else;
 * on Metal the checkpoint's own.
 */
export function computeDtype(stored: Dtype): Dtype {
  return ON_GPU ? stored : mx.float32;
}

export class Weights {
  readonly byteLength: number;
  readonly #checkpoint: Checkpoint;
  readonly #tensors: Map<string, Tensor>;
  readonly #stored: Map<string, Dtype>;

  private constructor(checkpoint: Checkpoint, tensors: Map<string, Tensor>, stored: Map<string, Dtype>) {
    this.#checkpoint = checkpoint;
    this.#tensors = tensors;
    this.#stored = stored;
    this.byteLength = [...tensors.values()].reduce((sum, tensor) => sum + tensor.nbytes, 0);
  }

  /**
   * Checks and loads exactly the tensors of `specs`; of a file with others, only these are read from the disk.
   * @param settle gives memory back after a tensor whose loading needed more than its own
   * @throws EspalierError model_mismatch, model_file_missing, model_file_damaged, model_unsupported
   */
  static async load(
    checkpoint: Checkpoint,
    specs: ParameterSpec[],
    settle: () => Promise<void>,
  ): Promise<Weights> {
    const expected = await checkParameters(checkpoint, specs);
    const tensors = new Map<string, Tensor>();
    const dtypes = new Map<string, Dtype>();
    const read = tensorReader(checkpoint);
    for (const { name, parts, bits } of expected) {
      const stored = parts ? mx.stack(parts.map(read), 0) : read(name);
      const tensor =
        bits === undefined ? stored.astype(computeDtype(stored.dtype)) : await repack(stored, bits, settle);
      mx.eval(tensor);
      tensors.set(name, tensor);
      dtypes.set(name, stored.dtype);
      if (parts) await settle();
    }
    return new Weights(checkpoint, tensors, dtypes);
  }

  /** A plain tensor. The parameter was named in `specs`, so it is there. */
  vector(name: string): Tensor {
    const tensor = this.#tensors.get(name);
    if (!tensor) throw new Error(`${name} was not among the parameters that were loaded`);
    return tensor;
  }

  has(name: string): boolean {
    return this.#tensors.has(name);
  }

  linear(path: string): LinearWeights {
    const quantization = this.#checkpoint.quantization(path);
    const stored = this.#stored.get(`${path}.${quantization ? 'scales' : 'weight'}`) as Dtype;
    const weights: LinearWeights = { weight: this.vector(`${path}.weight`), stored };
    if (this.has(`${path}.bias`)) weights.bias = this.vector(`${path}.bias`);
    if (!quantization) return weights;
    return {
      ...weights,
      quantization: { ...quantization, bits: loadedBits(quantization.bits) },
      scales: this.vector(`${path}.scales`),
      biases: this.vector(`${path}.biases`),
    };
  }
}

/** Reads stored tensors by name, each file opened once. MLX reads a tensor's bytes when it is evaluated. */
function tensorReader({ folder }: Checkpoint): (name: string) => Tensor {
  const files = new Map<string, Record<string, Tensor>>();
  return (name) => {
    const file = folder.fileOf.get(name) as string; // checked before
    const opened = files.get(file) ?? mx.load(join(folder.dir, file));
    files.set(file, opened);
    return opened[name] as Tensor;
  };
}
