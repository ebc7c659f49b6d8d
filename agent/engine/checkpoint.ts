// A model folder seen through an architecture's `sanitize`: which stored tensors a parameter is made of, and how it is
// quantized. It reads nothing; Weights does.
import { type ModelFolder, type Quantization, quantizationOf } from '../../protocol/model-folder.ts';

/**
 * An architecture's repair of older checkpoints, by the tensor's name as the architecture knows it.
 * @returns the stored tensors that it is stacked from, along a new first axis; undefined for a tensor stored under its name
 */
export type Sanitize = (tensor: string, isStored: (name: string) => boolean) => readonly string[] | undefined;

export class Checkpoint {
  readonly folder: ModelFolder;
  readonly #sanitize: Sanitize;

  constructor(folder: ModelFolder, sanitize: Sanitize) {
    this.folder = folder;
    this.#sanitize = sanitize;
  }

  /** Whether the parameter's tensor is there, under its own name or in parts. */
  has(tensor: string): boolean {
    return this.#isStored(tensor) || this.parts(tensor) !== undefined;
  }

  /** The stored tensors to stack, when the tensor is not stored as one. */
  parts(tensor: string): readonly string[] | undefined {
    return this.#isStored(tensor) ? undefined : this.#sanitize(tensor, (name) => this.#isStored(name));
  }

  /**
   * How a linear module is quantized: as config.json says of the module, otherwise as it says of all that have scales
   * (converters leave out what does not divide into groups, without a word in config.json).
   */
  quantization(path: string): Quantization | undefined {
    const quantization = quantizationOf(this.folder.config, path);
    const isNamed = this.folder.config.quantization?.[path] !== undefined;
    return isNamed || this.has(`${path}.scales`) ? quantization : undefined;
  }

  #isStored(tensor: string): boolean {
    return this.folder.fileOf.has(tensor);
  }
}
