// Matrix products with quantized or plain weights: one weight (Linear), one per head (HeadLinear), one per expert
// (ExpertLinear), and the embedding. On the CPU, a packed product costs the same for every row, so that from a few
// rows on it is faster to unpack the weight once and multiply with BLAS (facts: from 5 rows).
import { ALL, type Dtype, mx, ON_GPU, type Tensor } from './mlx.ts';
import type { LinearWeights } from './weights.ts';

/** Rows from which the unpacked product is faster. On Metal the packed kernels win at any count that matters here. */
const UNPACK_FROM_ROWS = ON_GPU ? Number.POSITIVE_INFINITY : 5;

/** A quantized weight, whole. */
interface Packed {
  weight: Tensor;
  scales: Tensor;
  biases: Tensor;
  groupSize: number;
  bits: number;
}

function packedOf(weights: LinearWeights): Packed | undefined {
  const { weight, scales, biases, quantization } = weights;
  return quantization && scales && biases ? { weight, scales, biases, ...quantization } : undefined;
}

function unpack(packed: Packed): Tensor {
  return mx.dequantize(packed.weight, packed.scales, packed.biases, packed.groupSize, packed.bits);
}

/** Unpacks in the precision of `dtype`, which rounds as a checkpoint of that type does, and returns float32. */
function unpackAs(dtype: Dtype, packed: Packed): Tensor {
  const { weight, scales, biases, groupSize, bits } = packed;
  return mx
    .dequantize(weight, scales.astype(dtype), biases.astype(dtype), groupSize, bits)
    .astype(mx.float32);
}

/** Applies `part` to a packed weight's three tensors alike (a slice of rows, one expert, a reshape). */
function mapPacked(packed: Packed, part: (tensor: Tensor) => Tensor): Packed {
  return {
    ...packed,
    weight: part(packed.weight),
    scales: part(packed.scales),
    biases: part(packed.biases),
  };
}

export class Linear {
  readonly #packed: Packed | undefined;
  readonly #transposed: Tensor | undefined;
  readonly #bias: Tensor | undefined;

  constructor(weights: LinearWeights) {
    this.#packed = packedOf(weights);
    this.#transposed = this.#packed ? undefined : weights.weight.swapaxes(0, 1);
    this.#bias = weights.bias;
  }

  /** @param x [rows, inputs] @returns [rows, outputs] */
  forward(x: Tensor): Tensor {
    const y = this.#product(x);
    return this.#bias ? mx.add(y, this.#bias) : y;
  }

  #product(x: Tensor): Tensor {
    const packed = this.#packed;
    if (!packed) return mx.matmul(x, this.#transposed as Tensor);
    if ((x.shape[0] ?? 0) >= UNPACK_FROM_ROWS) return mx.matmul(x, unpack(packed).swapaxes(0, 1));
    const { weight, scales, biases, groupSize, bits } = packed;
    return mx.quantizedMatmul(x, weight, scales, biases, true, groupSize, bits);
  }
}

export class Embedding {
  readonly #weights: LinearWeights;

  constructor(weights: LinearWeights) {
    this.#weights = weights;
  }

  /** @param ids [tokens] uint32, each below the vocabulary's size @returns [tokens, hidden] */
  forward(ids: Tensor): Tensor {
    const packed = packedOf(this.#weights);
    if (!packed) return mx.take(this.#weights.weight, ids, 0);
    return unpack(mapPacked(packed, (tensor) => mx.take(tensor, ids, 0)));
  }
}

/** One weight per attention head, in checkpoint order [heads, outputs, inputs]. */
export class HeadLinear {
  readonly #packed: Packed | undefined;
  readonly #plain: Tensor;
  readonly #heads: Tensor;
  readonly #zeros: Tensor;

  constructor(weights: LinearWeights) {
    this.#packed = packedOf(weights);
    this.#plain = weights.weight;
    const heads = weights.weight.shape[0] as number;
    // [1, heads]: which block of x and which weight each head takes
    this.#heads = mx.arange(heads, mx.uint32).reshape(1, heads);
    this.#zeros = mx.zeros([1, heads], mx.uint32);
    mx.eval(this.#heads, this.#zeros);
  }

  /**
   * Rows `begin` to `end` of every head's part of a weight that stacks the heads' rows ([heads * rows, inputs]).
   * On Metal they stay packed as they are: packing them anew would move the logits. On the CPU, where BLAS beats the
   * packed product at every size, they are unpacked once, in the checkpoint's precision as mlx-lm does.
   */
  static fromRows(weights: LinearWeights, heads: number, begin: number, end: number): HeadLinear {
    const take = (tensor: Tensor) => {
      const [rows, columns] = tensor.shape as [number, number];
      const part = tensor.reshape(heads, rows / heads, columns).index(ALL, mx.Slice(begin, end), ALL);
      // a product with one makes the slice contiguous, so that the whole weight can be freed
      const copy = mx.multiply(part, mx.ones([1], part.dtype));
      mx.eval(copy);
      return copy;
    };
    const packed = packedOf(weights);
    const { stored } = weights;
    if (!packed) return new HeadLinear({ weight: take(weights.weight), stored });
    if (!ON_GPU) return new HeadLinear({ weight: take(unpackAs(stored, packed)), stored });
    const { weight, scales, biases, groupSize, bits } = mapPacked(packed, take);
    return new HeadLinear({ weight, scales, biases, stored, quantization: { groupSize, bits } });
  }

  /**
   * @param x [1, heads, rows, d], or [1, 1, rows, d] to give every head the same rows
   * @param transpose multiply with the transposed weight (as Linear does: d is `inputs`) or with the weight (`outputs`)
   * @returns [1, heads, rows, the other d]
   */
  forward(x: Tensor, transpose: boolean): Tensor {
    const packed = this.#packed;
    const rows = x.shape[2] ?? 0;
    if (!packed || rows >= UNPACK_FROM_ROWS) {
      const weight = packed ? unpack(packed) : this.#plain;
      return mx.matmul(x, transpose ? weight.swapaxes(1, 2) : weight);
    }
    const lhs = x.shape[1] === 1 ? this.#zeros : this.#heads;
    const { weight, scales, biases, groupSize, bits } = packed;
    return mx.blockSparseQMM(x, weight, scales, biases, lhs, this.#heads, transpose, groupSize, bits);
  }
}

/** One weight per routed expert, stacked: [experts, outputs, inputs]. */
export class ExpertLinear {
  readonly #packed: Packed | undefined;
  readonly #transposed: Tensor;

  constructor(weights: LinearWeights) {
    this.#packed = packedOf(weights);
    this.#transposed = weights.weight.swapaxes(1, 2);
  }

  /**
   * Each row with its own experts.
   * @param x [blocks, 1, inputs]
   * @param rows uint32 [n, k]: the block of x @param experts uint32 [n, k]: the expert
   * @returns [n, k, 1, outputs]
   */
  gather(x: Tensor, rows: Tensor, experts: Tensor): Tensor {
    const packed = this.#packed;
    if (!packed) return mx.blockSparseMM(x, this.#transposed, rows, experts);
    const { weight, scales, biases, groupSize, bits } = packed;
    return mx.blockSparseQMM(x, weight, scales, biases, rows, experts, true, groupSize, bits);
  }

  /** All rows with one expert. @param x [rows, inputs] @returns [rows, outputs] */
  one(x: Tensor, expert: number): Tensor {
    const packed = this.#packed;
    if (!packed) return mx.matmul(x, this.#transposed.index(expert));
    return mx.matmul(x, unpack(mapPacked(packed, (tensor) => tensor.index(expert))).swapaxes(0, 1));
  }
}
