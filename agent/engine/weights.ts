// The checked tensors of one stage by name. A module says at its construction which tensors it wants and what it makes
// of them; loading then reads them one module after the other, so that what a tensor was made from is never held for all
// of them. It must not know what modules compute.
import { join } from 'node:path';
import { loadedBits, type Quantization } from '../../protocol/model-folder.ts';
import type { Checkpoint } from './checkpoint.ts';
import { type Dtype, mx, ON_GPU, type Tensor } from './mlx.ts';
import { repack } from './packing.ts';
import { checkParameters, type ExpectedTensor, type ParameterSpec } from './parameters.ts';

/**
 * What a stage may hold beyond its tensors as they are packed, to be faster: 48 MiB. A worker of the bench's model sits
 * at its tensors and 82 MB; with this it stays 18 MB below the limit of 150 MB even if nothing of it counts as
 * a tensor.
 */
const WIDENING_BYTES = 48 * 2 ** 20;

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

/** A quantized weight: [..., outputs, inputs · bits / 32] with scales and biases [..., outputs, groups]. */
export type PackedWeights = LinearWeights &
  Required<Pick<LinearWeights, 'scales' | 'biases' | 'quantization'>>;

export function isPacked(weights: LinearWeights): weights is PackedWeights {
  return weights.quantization !== undefined;
}

/** What is there once the weights are loaded. */
export class Later<T> {
  #made: T | undefined;

  /** @throws Error before the weights are loaded */
  get value(): T {
    if (this.#made === undefined) throw new Error('the weights are not loaded yet');
    return this.#made;
  }

  set value(made: T) {
    this.#made = made;
  }
}

/** What a module makes of its tensors. */
export interface Held {
  /** all that it holds on to */
  readonly tensors: readonly Tensor[];
}

type Settle = () => Promise<void>;

/** Reads modules' tensors while weights are being loaded. */
export interface Source {
  linear(path: string): Promise<LinearWeights>;
  settle: Settle;
  /** @returns whether a tensor may be held in a form that takes so many bytes more; if so they are taken */
  widen(bytes: number): boolean;
}

/**
 * The floating point type that a stage computes in: float32 on the CPU, where node-mlx multiplies nothing else;
 * on Metal the checkpoint's own.
 */
export function computeDtype(stored: Dtype): Dtype {
  return ON_GPU ? stored : mx.float32;
}

export class Weights {
  readonly #checkpoint: Checkpoint;
  readonly #expected: Map<string, ExpectedTensor>;
  readonly #vectors = new Map<string, Tensor>();
  readonly #reader: Reader;
  readonly #pending: ((source: Source) => Promise<readonly Tensor[]>)[] = [];
  #widening = WIDENING_BYTES;
  #byteLength = 0;

  private constructor(checkpoint: Checkpoint, expected: ExpectedTensor[]) {
    this.#checkpoint = checkpoint;
    this.#expected = new Map(expected.map((tensor) => [tensor.name, tensor]));
    this.#reader = tensorReader(checkpoint);
  }

  /**
   * Checks exactly the tensors of `specs`. Nothing is read before `load`.
   * @throws EspalierError model_mismatch, model_file_missing, model_file_damaged, model_unsupported
   */
  static async open(checkpoint: Checkpoint, specs: ParameterSpec[]): Promise<Weights> {
    return new Weights(checkpoint, await checkParameters(checkpoint, specs));
  }

  /** Bytes of all that is held, once it is loaded. */
  get byteLength(): number {
    return this.#byteLength;
  }

  has(name: string): boolean {
    return this.#expected.has(name);
  }

  /** How a linear module's weight is packed once it is read; undefined for a plain one. */
  quantization(path: string): Quantization | undefined {
    const quantization = this.#checkpoint.quantization(path);
    return quantization && { ...quantization, bits: loadedBits(quantization.bits) };
  }

  /** A plain tensor in the stage's precision. */
  vector(name: string): Tensor {
    const known = this.#vectors.get(name);
    if (known) return known;
    const stored = this.#reader(this.#expect(name));
    const tensor = stored.astype(computeDtype(stored.dtype));
    this.#vectors.set(name, tensor);
    return tensor;
  }

  /** @param make is called when the weights are loaded */
  later<T extends Held>(make: (source: Source) => Promise<T>): Later<T> {
    const later = new Later<T>();
    this.#pending.push(async (source) => {
      later.value = await make(source);
      return later.value.tensors;
    });
    return later;
  }

  /**
   * Reads and makes what was asked for; of a file with other tensors, only these are read from the disk.
   * @param settle gives memory back after each module
   */
  async load(settle: Settle): Promise<void> {
    this.#hold([...this.#vectors.values()]);
    const widen = (bytes: number) => {
      const fits = bytes <= this.#widening;
      if (fits) this.#widening -= bytes;
      return fits;
    };
    for (const make of this.#pending.splice(0)) {
      this.#hold(await make({ linear: (path) => this.#linear(path, settle), settle, widen }));
      await settle();
    }
  }

  #hold(tensors: readonly Tensor[]): void {
    mx.eval([...tensors]);
    for (const tensor of tensors) this.#byteLength += tensor.nbytes;
  }

  async #linear(path: string, settle: Settle): Promise<LinearWeights> {
    // a reader of its own: whatever keeps a file open keeps all that was read of it
    const read = tensorReader(this.#checkpoint);
    const tensor = (part: string) => read(this.#expect(`${path}.${part}`));
    const floats = (part: string) => {
      const stored = tensor(part);
      return stored.astype(computeDtype(stored.dtype));
    };
    const bias = this.has(`${path}.bias`) ? { bias: floats('bias') } : {};
    const quantization = this.quantization(path);
    const weight = tensor('weight');
    if (!quantization)
      return { weight: weight.astype(computeDtype(weight.dtype)), stored: weight.dtype, ...bias };
    const { bits = quantization.bits } = this.#expect(`${path}.weight`);
    const scales = tensor('scales');
    return {
      weight: await repack(weight, bits, settle),
      scales: scales.astype(computeDtype(scales.dtype)),
      biases: floats('biases'),
      quantization,
      stored: scales.dtype,
      ...bias,
    };
  }

  #expect(name: string): ExpectedTensor {
    const expected = this.#expected.get(name);
    if (!expected) throw new Error(`${name} was not among the parameters that were checked`);
    return expected;
  }
}

type Reader = (tensor: ExpectedTensor) => Tensor;

/** Reads tensors, each file opened once. MLX reads a tensor's bytes when it is evaluated. */
function tensorReader({ folder }: Checkpoint): Reader {
  const files = new Map<string, Record<string, Tensor>>();
  const read = (name: string) => {
    const file = folder.fileOf.get(name) as string; // checked before
    const opened = files.get(file) ?? mx.load(join(folder.dir, file));
    files.set(file, opened);
    return opened[name] as Tensor;
  };
  return ({ name, parts }) => (parts ? mx.stack(parts.map(read), 0) : read(name));
}
