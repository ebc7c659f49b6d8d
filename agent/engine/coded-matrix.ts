// Products with quantized weights on the CPU. node-mlx's own packed product costs the same for every row; here BLAS
// multiplies the codes themselves and scales apply afterwards, so that rows share the cost of the codes. It must not
// know which module a weight belongs to.
import { type Codes, mapCodes, planeOf } from './codes.ts';
import type { Matrix } from './matrix.ts';
import { ALL, mx, type Tensor } from './mlx.ts';

export class CodedMatrix implements Matrix {
  readonly #codes: Codes;
  readonly #scaleFromRows: number;

  /**
   * @param codes of [outputs, inputs]
   * @param scaleFromRows rows from which scaling the weight is faster than scaling the product
   */
  constructor(codes: Codes, scaleFromRows: number) {
    this.#codes = codes;
    this.#scaleFromRows = scaleFromRows;
  }

  get tensors(): readonly Tensor[] {
    const { bytes, scales, biases } = this.#codes;
    return [bytes, scales, biases];
  }

  /**
   * x · (scale · code + bias)ᵀ, summed over the groups g of inputs: Σ scale_g · (x_g · codes_g) + (Σ x_g) · bias_g.
   * @param x [rows, inputs] @returns [rows, outputs]
   */
  product(x: Tensor): Tensor {
    const codes = this.#codes;
    const isScaled = (x.shape[0] ?? 0) >= this.#scaleFromRows;
    const y = isScaled
      ? overPlanes(scaledPlanes(x, codes))
      : mx.multiply(overPlanes(groupedPlanes(x, codes)), codes.scales).sum(-3);
    return mx.addmm(y, groupSums(x, codes), codes.biases);
  }
}

/** One coded weight per expert. */
export class CodedExpertMatrix {
  readonly #codes: Codes;
  /** views into the codes of all */
  readonly #experts: { codes: Codes; matrix: CodedMatrix }[];

  /** @param codes of [experts, outputs, inputs] @param scaleFromRows as of CodedMatrix */
  constructor(codes: Codes, scaleFromRows: number) {
    this.#codes = codes;
    this.#experts = Array.from({ length: codes.bytes.shape[0] as number }, (_, expert) => {
      const own = mapCodes(codes, (tensor) => viewOf(tensor, expert));
      return { codes: own, matrix: new CodedMatrix(own, scaleFromRows) };
    });
  }

  get tensors(): readonly Tensor[] {
    const { bytes, scales, biases } = this.#codes;
    return [bytes, scales, biases];
  }

  /** One expert's product. @param x [rows, inputs] @returns [rows, outputs] */
  one(expert: number, x: Tensor): Tensor {
    return this.#expert(expert).matrix.product(x);
  }

  /**
   * The products of some experts, in as few calls as can be: with few rows, calls take longer than BLAS.
   * @param experts their numbers
   * @param x [experts, rows, inputs], or [1, rows, inputs] to give all the same rows
   * @returns [experts, rows, outputs]
   */
  some(experts: readonly number[], x: Tensor): Tensor {
    const { scales, biases } = this.#codes;
    const inputs = groupedInputs(x, this.#codes).map((plane) => alongFirst(plane, experts.length));
    const products = experts.map((expert, i) => {
      const { codes } = this.#expert(expert);
      return overPlanes(inputs.map((plane, p): Factors => [plane[i] as Tensor, planeOf(codes, p)]));
    });
    const numbers = mx.array(experts, mx.uint32);
    const y = mx.multiply(mx.concatenate(products, 0), mx.take(scales, numbers, 0)).sum(-3);
    return mx.addmm(y, groupSums(x, this.#codes), mx.take(biases, numbers, 0));
  }

  #expert(expert: number): { codes: Codes; matrix: CodedMatrix } {
    const own = this.#experts[expert];
    if (!own) throw new RangeError(`there are ${this.#experts.length} experts, no expert ${expert}`);
    return own;
  }
}

/** One of the first axis, sharing its memory: a slice does, where a bare number would copy. */
function viewOf(tensor: Tensor, place: number): Tensor {
  return tensor.index(mx.Slice(place, place + 1)).reshape(...tensor.shape.slice(1));
}

type Factors = [a: Tensor, b: Tensor];

function overPlanes([first, ...rest]: Factors[]): Tensor {
  return rest.reduce((sum, factors) => mx.addmm(sum, ...factors), mx.matmul(...(first as Factors)));
}

/** For the product as it is before it is scaled: [..., groups, rows, outputs]. */
function groupedPlanes(x: Tensor, codes: Codes): Factors[] {
  return groupedInputs(x, codes).map((inputs, plane) => [inputs, planeOf(codes, plane)]);
}

/** For the product with the weight itself (but for its biases): [rows, outputs]. @param x [rows, inputs] */
function scaledPlanes(x: Tensor, codes: Codes): Factors[] {
  const [rows, inputs] = x.shape as [number, number];
  const width = inputs / codes.planes;
  return planeInputs(x, codes).map((part, plane) => {
    const scaled = mx.multiply(planeOf(codes, plane), codes.scales);
    return [part.reshape(rows, width), scaled.reshape(width, scaled.shape.at(-1) as number)];
  });
}

/** The inputs of each plane as [..., groups, rows, groupSize / planes]. @param x [..., rows, inputs] */
function groupedInputs(x: Tensor, codes: Codes): Tensor[] {
  const outer = x.shape.slice(0, -2);
  const [rows, inputs] = x.shape.slice(-2) as [number, number];
  const groups = inputs / codes.groupSize;
  const width = codes.groupSize / codes.planes;
  return planeInputs(x, codes).map((part) =>
    rows === 1
      ? part.reshape(...outer, groups, 1, width) // as below, but in order already, so that nothing is copied
      : part.reshape(...outer, rows, groups, width).swapaxes(-2, -3),
  );
}

/** The inputs of each plane: x itself for one, otherwise [..., rows, groups, groupSize / planes]. */
function planeInputs(x: Tensor, { planes, groupSize }: Codes): Tensor[] {
  if (planes === 1) return [x];
  const outer = x.shape.slice(0, -1);
  const split = x.reshape(...outer, (x.shape.at(-1) as number) / groupSize, planes, groupSize / planes);
  return Array.from({ length: planes }, (_, plane) => split.index('...', plane, ALL));
}

/** @param x [..., rows, inputs] @returns [..., rows, groups] */
function groupSums(x: Tensor, { groupSize }: Codes): Tensor {
  const inputs = x.shape.at(-1) as number;
  return x.reshape(...x.shape.slice(0, -1), inputs / groupSize, groupSize).sum(-1);
}

/** One part for each of `count`: slices of the first axis, or the same where there is only one. */
function alongFirst(tensor: Tensor, count: number): Tensor[] {
  if (tensor.shape[0] === 1) return new Array<Tensor>(count).fill(tensor);
  const starts = Array.from({ length: count - 1 }, (_, i) => i + 1);
  return mx.split(tensor, starts, 0);
}
