// A weight that rows are multiplied with, in the three forms that weights are held in: plain, packed as node-mlx's
// kernels take it, and laid out for BLAS (coded-matrix.ts). It must not know which module a weight belongs to.
import { mx, type Tensor } from './mlx.ts';
import type { PackedWeights } from './weights.ts';

export interface Matrix {
  /** @param x [..., rows, inputs] @returns [..., rows, outputs] */
  product(x: Tensor): Tensor;
  /** all that it holds on to */
  readonly tensors: readonly Tensor[];
}

export class PlainMatrix implements Matrix {
  readonly tensors: readonly Tensor[];
  readonly #weight: Tensor;

  /** @param weight [inputs, outputs]; for few rows, BLAS is twice as fast with one that lies in memory in that order */
  constructor(weight: Tensor) {
    this.tensors = [weight];
    this.#weight = weight;
  }

  product(x: Tensor): Tensor {
    return mx.matmul(x, this.#weight);
  }
}

export class PackedMatrix implements Matrix {
  readonly #packed: PackedWeights;
  readonly #unpackFromRows: number;

  /** @param unpackFromRows rows from which unpacking the weight for one plain product is faster */
  constructor(packed: PackedWeights, unpackFromRows: number) {
    this.#packed = packed;
    this.#unpackFromRows = unpackFromRows;
  }

  get tensors(): readonly Tensor[] {
    const { weight, scales, biases } = this.#packed;
    return [weight, scales, biases];
  }

  /** @param x [rows, inputs] */
  product(x: Tensor): Tensor {
    if ((x.shape[0] ?? 0) >= this.#unpackFromRows) return mx.matmul(x, unpack(this.#packed).swapaxes(0, 1));
    const { weight, scales, biases, quantization } = this.#packed;
    const { groupSize, bits } = quantization;
    return mx.quantizedMatmul(x, weight, scales, biases, true, groupSize, bits);
  }
}

/** One packed weight per head. */
export class PackedHeads {
  readonly #packed: PackedWeights;
  readonly #unpackFromRows: number;
  /** [1, heads]: which block of x and which weight each head takes */
  readonly #heads: Tensor;
  readonly #zeros: Tensor;

  /** @param packed [heads, rows, columns] @param unpackFromRows as of PackedMatrix */
  constructor(packed: PackedWeights, unpackFromRows: number) {
    this.#packed = packed;
    this.#unpackFromRows = unpackFromRows;
    const heads = packed.weight.shape[0] as number;
    this.#heads = mx.arange(heads, mx.uint32).reshape(1, heads);
    this.#zeros = mx.zeros([1, heads], mx.uint32);
    mx.eval(this.#heads, this.#zeros);
  }

  get tensors(): readonly Tensor[] {
    const { weight, scales, biases } = this.#packed;
    return [weight, scales, biases];
  }

  /**
   * @param x [1, heads, rows, d], or [1, 1, rows, d] for the same rows to every head
   * @param transpose whether d is a weight's columns, otherwise its rows
   * @returns [1, heads, rows, the other d]
   */
  product(x: Tensor, transpose: boolean): Tensor {
    if ((x.shape[2] ?? 0) >= this.#unpackFromRows) {
      const whole = unpack(this.#packed);
      return mx.matmul(x, transpose ? whole.swapaxes(1, 2) : whole);
    }
    const lhs = x.shape[1] === 1 ? this.#zeros : this.#heads;
    const { weight, scales, biases, quantization } = this.#packed;
    const { groupSize, bits } = quantization;
    return mx.blockSparseQMM(x, weight, scales, biases, lhs, this.#heads, transpose, groupSize, bits);
  }
}

/** The weight as plain numbers, in the precision of its scales. */
export function unpack({ weight, scales, biases, quantization }: PackedWeights): Tensor {
  return mx.dequantize(weight, scales, biases, quantization.groupSize, quantization.bits);
}

/** Applies `part` to a packed weight's three tensors alike (some of its rows, one expert). */
export function mapPacked(packed: PackedWeights, part: (tensor: Tensor) => Tensor): PackedWeights {
  return {
    ...packed,
    weight: part(packed.weight),
    scales: part(packed.scales),
    biases: part(packed.biases),
  };
}
