// Loads the checked tensors of one stage and hands them out by name. Everything that a computation would otherwise
// convert at each call is converted here, once.
import { join } from 'node:path';
import type { ModelFolder, Quantization } from '../../protocol/model-folder.ts';
import { quantizationOf } from '../../protocol/model-folder.ts';
import { type Dtype, mx, ON_GPU, type Tensor } from './mlx.ts';
import { checkParameters, type ParameterSpec } from './parameters.ts';

/** A linear module's tensors; `quantization` is absent for a plain weight. */
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
  readonly #folder: ModelFolder;
  readonly #tensors: Map<string, Tensor>;
  readonly #stored: Map<string, Dtype>;

  private constructor(folder: ModelFolder, tensors: Map<string, Tensor>, stored: Map<string, Dtype>) {
    this.#folder = folder;
    this.#tensors = tensors;
    this.#stored = stored;
    this.byteLength = [...tensors.values()].reduce((sum, tensor) => sum + tensor.nbytes, 0);
  }

  /**
   * Checks and loads exactly the tensors of `specs`; of a file with others, only these are read from the disk.
   * @throws EspalierError model_mismatch, model_file_missing, model_file_damaged, model_unsupported
   */
  static async load(folder: ModelFolder, specs: ParameterSpec[]): Promise<Weights> {
    const expected = await checkParameters(folder, specs);
    const tensors = new Map<string, Tensor>();
    const dtypes = new Map<string, Dtype>();
    const files = new Map<string, Record<string, Tensor>>();
    for (const { name } of expected) {
      const file = folder.fileOf.get(name) as string;
      let loaded = files.get(file);
      if (!loaded) {
        loaded = mx.load(join(folder.dir, file));
        files.set(file, loaded);
      }
      const stored = loaded[name] as Tensor;
      const tensor = stored.dtype === mx.uint32 ? stored : stored.astype(computeDtype(stored.dtype));
      mx.eval(tensor);
      tensors.set(name, tensor);
      dtypes.set(name, stored.dtype);
    }
    return new Weights(folder, tensors, dtypes);
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
    const quantization = quantizationOf(this.#folder.config, path);
    const stored = this.#stored.get(`${path}.${quantization ? 'scales' : 'weight'}`) as Dtype;
    const weights: LinearWeights = { weight: this.vector(`${path}.weight`), stored };
    if (this.has(`${path}.bias`)) weights.bias = this.vector(`${path}.bias`);
    if (!quantization) return weights;
    return {
      ...weights,
      quantization,
      scales: this.vector(`${path}.scales`),
      biases: this.vector(`${path}.biases`),
    };
  }
}
