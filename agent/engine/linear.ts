// Linear modules as layers see them: one weight or several with the same input (Linear), one per head (HeadLinear), and
// the embedding. How a weight is held and multiplied, hold.ts decides.
import { type HeldHeads, holdHeads, holdMatrix, packedMatrix } from './hold.ts';
import { type Matrix, mapPacked, PlainMatrix, unpack } from './matrix.ts';
import { ALL, type Dtype, mx, type Tensor } from './mlx.ts';
import {
  type Held,
  isPacked,
  type Later,
  type LinearWeights,
  type PackedWeights,
  type Weights,
} from './weights.ts';

interface HeldLinear extends Held {
  /** whose outputs follow each other */
  matrices: readonly Matrix[];
  bias: Tensor | undefined;
}

export class Linear {
  readonly #held: Later<HeldLinear>;

  /**
   * @param paths of modules with the same input, whose outputs are wanted side by side; where they are packed alike,
   *   they are one product
   */
  constructor(weights: Weights, ...paths: string[]) {
    this.#held = weights.later(async (source) => {
      const modules: LinearWeights[] = [];
      for (const path of paths) modules.push(await source.linear(path));
      const bias = joinedBias(modules);
      const matrices: Matrix[] = [];
      for (const module of joinedWeights(modules)) matrices.push(await holdMatrix(module, source));
      const tensors = matrices.flatMap((matrix) => matrix.tensors);
      return { matrices, bias, tensors: bias ? [...tensors, bias] : tensors };
    });
  }

  /** @param x [rows, inputs] @returns [rows, outputs] */
  forward(x: Tensor): Tensor {
    const { matrices, bias } = this.#held.value;
    const parts = matrices.map((matrix) => matrix.product(x));
    const y = parts.length === 1 ? (parts[0] as Tensor) : mx.concatenate(parts, 1);
    return bias ? mx.add(y, bias) : y;
  }
}

/** One weight where all are packed alike, otherwise as they came. @param modules with [..., outputs, inputs] */
export function joinedWeights(modules: readonly LinearWeights[]): readonly LinearWeights[] {
  const [first] = modules;
  if (!first || modules.length === 1) return modules;
  const isAlike = modules.every(
    ({ stored, quantization: own }) =>
      stored === first.stored &&
      own?.bits === first.quantization?.bits &&
      own?.groupSize === first.quantization?.groupSize,
  );
  if (!isAlike) return modules;
  const joined = (part: (module: LinearWeights) => Tensor) => mx.concatenate(modules.map(part), -2);
  const weight = joined((module) => module.weight);
  const { stored } = first;
  if (!isPacked(first)) return [{ weight, stored }];
  const scales = joined((module) => module.scales as Tensor);
  const biases = joined((module) => module.biases as Tensor);
  return [{ weight, scales, biases, stored, quantization: first.quantization }];
}

/** The bias vectors one after the other, zeros for a module without one. */
function joinedBias(modules: readonly LinearWeights[]): Tensor | undefined {
  const some = modules.find(({ bias }) => bias)?.bias;
  if (!some || modules.length === 1) return some;
  const parts = modules.map(({ bias, weight }) => bias ?? mx.zeros([weight.shape[0] as number], some.dtype));
  return mx.concatenate(parts, 0);
}

interface HeldEmbedding extends Held {
  weights: LinearWeights;
  /** where it is the head, too */
  matrix: Matrix | undefined;
}

export class Embedding {
  readonly #held: Later<HeldEmbedding>;

  /** @param isHead whether the weight is the head's, too */
  constructor(weights: Weights, path: string, isHead: boolean) {
    this.#held = weights.later(async (source) => {
      const own = await source.linear(path);
      const { weight, scales, biases } = own;
      const tensors = [weight, scales, biases].filter((tensor) => tensor !== undefined);
      return { weights: own, matrix: isHead ? headOf(own) : undefined, tensors };
    });
  }

  /** @param ids [tokens] uint32, each below the vocabulary's size @returns [tokens, hidden] */
  forward(ids: Tensor): Tensor {
    const { weights } = this.#held.value;
    if (!isPacked(weights)) return mx.take(weights.weight, ids, 0);
    return unpack(mapPacked(weights, (tensor) => mx.take(tensor, ids, 0)));
  }

  /** As a tied head. @param hidden [rows, hidden] @returns [rows, vocabulary] */
  logits(hidden: Tensor): Tensor {
    const { matrix } = this.#held.value;
    if (!matrix) throw new Error('this embedding is not the head');
    return matrix.product(hidden);
  }
}

/** It shares the embedding's memory, so it stays packed, on the CPU, too. */
function headOf(embedding: LinearWeights): Matrix {
  return isPacked(embedding) ? packedMatrix(embedding) : new PlainMatrix(embedding.weight.swapaxes(0, 1));
}

/** One weight per attention head, which maps inputs to outputs and back. */
export class HeadLinear {
  readonly #held: Later<HeldHeads>;
  /** whether the checkpoint has a head's outputs as rows, as a linear module does */
  readonly #isTransposed: boolean;

  private constructor(held: Later<HeldHeads>, isTransposed: boolean) {
    this.#held = held;
    this.#isTransposed = isTransposed;
  }

  /** A module of its own, [heads, outputs, inputs]. */
  static of(weights: Weights, path: string): HeadLinear {
    const held = weights.later(async (source) => {
      const own = await source.linear(path);
      return holdHeads(own, isPacked(own) ? unpack(own) : own.weight, { isTransposed: true, source });
    });
    return new HeadLinear(held, true);
  }

  /**
   * Rows `begin` to `end` of every head's part of a module that stacks the heads' rows ([heads · rows, columns]).
   * @param inputs what a head's rows are: its inputs or its outputs
   */
  static ofRows(
    weights: Weights,
    path: string,
    { heads, begin, end, inputs }: { heads: number; begin: number; end: number; inputs: 'rows' | 'columns' },
  ): HeadLinear {
    const take = (tensor: Tensor) => {
      const [rows, columns] = tensor.shape as [number, number];
      const part = tensor.reshape(heads, rows / heads, columns).index(ALL, mx.Slice(begin, end), ALL);
      // a product with one makes the slice contiguous, so that the whole weight can be freed
      return mx.multiply(part, mx.ones([1], part.dtype));
    };
    const isTransposed = inputs === 'columns';
    const held = weights.later(async (source) => {
      const whole = await source.linear(path);
      // in the checkpoint's precision, as mlx-lm does
      const plain = isPacked(whole) ? unpackAs(whole.stored, whole) : whole.weight;
      const part = isPacked(whole) ? mapPacked(whole, take) : { ...whole, weight: take(whole.weight) };
      return holdHeads(part, take(plain), { isTransposed, source });
    });
    return new HeadLinear(held, isTransposed);
  }

  /**
   * @param x [1, heads, rows, inputs], or [1, 1, rows, inputs] to give every head the same rows
   * @returns [1, heads, rows, outputs]
   */
  forward(x: Tensor): Tensor {
    const { plain, packed } = this.#held.value;
    return packed ? packed.product(x, this.#isTransposed) : mx.matmul(x, plain as Tensor);
  }

  /** The transposed map. @param x [1, heads or 1, rows, outputs] @returns [1, heads, rows, inputs] */
  backward(x: Tensor): Tensor {
    const { plain, packed } = this.#held.value;
    return packed ? packed.product(x, !this.#isTransposed) : mx.matmul(x, (plain as Tensor).swapaxes(1, 2));
  }
}

/** Unpacks in the precision of `dtype`, which rounds as a checkpoint of that type does; in float32 from then on. */
function unpackAs(dtype: Dtype, packed: PackedWeights): Tensor {
  return unpack({
    ...packed,
    scales: packed.scales.astype(dtype),
    biases: packed.biases.astype(dtype),
  }).astype(mx.float32);
}
