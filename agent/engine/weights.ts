// The checked tensors of one stage by name. A module says at its construction which tensors it wants and what it makes
// of them; loading then reads them one module after the other, so that what a tensor was made from is never held for all
// of them. It must not know what modules compute.
import { join } from 'node:path';
import { loadedBits, type Quantization } from '../../protocol/model-folder.ts';
import type { Checkpoint } from './checkpoint.ts';
import { type Dtype, mx, ON_GPU, type Tensor } from './mlx.ts';
import { repack } from './packing.ts';
import { checkParameters, type ExpectedTensor, type ParameterSpec, tensorsOf } from './parameters.ts';

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

/** What is loaded and freed together. */
interface Part {
  /** the modules that hold its tensors */
  made: unknown;
  readonly vectors: Map<string, Tensor>;
  readonly pending: ((source: Source) => Promise<readonly Tensor[]>)[];
  byteLength: number;
  /** of what was taken to hold tensors in larger forms */
  widenedBytes: number;
}

export class Weights {
  readonly #checkpoint: Checkpoint;
  readonly #expected: Map<string, ExpectedTensor>;
  readonly #reader: Reader;
  readonly #parts = new Map<string, Part>();
  /** parts of the stage's range before this one, until `release` */
  #before: ReadonlyMap<string, Part>;
  /** parts that are to be read */
  #missing: string[] = [];
  /** the part that is being made */
  #making: Part | undefined;

  private constructor(checkpoint: Checkpoint, expected: ExpectedTensor[], before: ReadonlyMap<string, Part>) {
    this.#checkpoint = checkpoint;
    this.#expected = new Map(expected.map((tensor) => [tensor.name, tensor]));
    this.#reader = tensorReader(checkpoint);
    this.#before = before;
  }

  /**
   * Checks exactly the tensors of `specs`, but for parts that are held already. Nothing is read before `load`.
   * @param before the weights of the range that the stage had before: what both have is not read again
   * @throws EspalierError model_mismatch, model_file_missing, model_file_damaged, model_unsupported
   */
  static async open(checkpoint: Checkpoint, specs: ParameterSpec[], before?: Weights): Promise<Weights> {
    const held: ReadonlyMap<string, Part> = before ? before.#parts : new Map();
    const missing = specs.filter(({ part }) => !held.has(part));
    if (missing.length > 0) await checkParameters(checkpoint, missing);
    return new Weights(checkpoint, tensorsOf(checkpoint, specs), held);
  }

  /** Bytes of all that is held, once it is loaded. */
  get byteLength(): number {
    let sum = 0;
    for (const { byteLength } of this.#parts.values()) sum += byteLength;
    return sum;
  }

  has(name: string): boolean {
    return this.#expected.has(name);
  }

  /** How a linear module's weight is packed once it is read; undefined for a plain one. */
  quantization(path: string): Quantization | undefined {
    const quantization = this.#checkpoint.quantization(path);
    return quantization && { ...quantization, bits: loadedBits(quantization.bits) };
  }

  /**
   * The modules of one part: those that are held already, or new ones.
   * @param name as in the part's parameters; one name always stands for modules of one type
   * @param make asks for all tensors of the part
   */
  part<T>(name: string, make: () => T): T {
    const held = this.#before.get(name);
    const part = held ?? { made: undefined, vectors: new Map(), pending: [], byteLength: 0, widenedBytes: 0 };
    this.#parts.set(name, part);
    if (!held) {
      this.#missing.push(name);
      this.#making = part;
      part.made = make();
      this.#making = undefined;
    }
    return part.made as T;
  }

  /** A plain tensor in the stage's precision. */
  vector(name: string): Tensor {
    const { vectors } = this.#madeNow;
    const known = vectors.get(name);
    if (known) return known;
    const stored = this.#reader(this.#expect(name));
    const tensor = stored.astype(computeDtype(stored.dtype));
    vectors.set(name, tensor);
    return tensor;
  }

  /** @param make is called when the weights are loaded */
  later<T extends Held>(make: (source: Source) => Promise<T>): Later<T> {
    const later = new Later<T>();
    this.#madeNow.pending.push(async (source) => {
      later.value = await make(source);
      return later.value.tensors;
    });
    return later;
  }

  /** The parts that `load` will read. */
  get missing(): readonly string[] {
    return this.#missing;
  }

  /** Lets go of what only the range before had: it is free as soon as nobody else holds it. */
  release(): void {
    this.#before = new Map();
  }

  /**
   * Reads and makes what was asked for and is not held; of a file with other tensors, only these are read from the disk.
   * @param settle gives memory back after each module @param onPart called after each part
   */
  async load(settle: Settle, onPart: (name: string) => void = () => undefined): Promise<void> {
    this.release();
    let room = WIDENING_BYTES;
    for (const { widenedBytes } of this.#parts.values()) room -= widenedBytes;
    for (const name of this.#missing.splice(0)) {
      const part = this.#parts.get(name) as Part;
      const widen = (bytes: number) => {
        const fits = bytes <= room;
        if (fits) {
          room -= bytes;
          part.widenedBytes += bytes;
        }
        return fits;
      };
      hold(part, [...part.vectors.values()]);
      for (const make of part.pending.splice(0)) {
        hold(part, await make({ linear: (path) => this.#linear(path, settle), settle, widen }));
        await settle();
      }
      onPart(name);
    }
  }

  get #madeNow(): Part {
    if (!this.#making) throw new Error('tensors are asked for while a part is made');
    return this.#making;
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

function hold(part: Part, tensors: readonly Tensor[]): void {
  mx.eval([...tensors]);
  for (const tensor of tensors) part.byteLength += tensor.nbytes;
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
