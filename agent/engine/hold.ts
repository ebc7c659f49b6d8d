// Which form each weight is held in: packed on Metal, whose kernels are made for that; on the CPU laid out for BLAS.
// It must not know which module a weight belongs to.
import { CodedExpertMatrix, CodedMatrix } from './coded-matrix.ts';
import { type Codes, contiguous, layOut, mapCodes, planesOf, wideningBytes } from './codes.ts';
import { type Matrix, mapPacked, PackedHeads, PackedMatrix, PlainMatrix, unpack } from './matrix.ts';
import { measuredFasterFrom, type Product } from './measure.ts';
import { ALL, mx, ON_GPU, type Tensor } from './mlx.ts';
import { type Held, isPacked, type LinearWeights, type PackedWeights, type Source } from './weights.ts';

/**
 * Weights up to this many numbers are measured with; of larger ones, the first outputs. A Mac's GPU needs more than a
 * core to be busy.
 */
const MEASURED_NUMBERS = ON_GPU ? 2 ** 24 : 2 ** 18;

/**
 * On the CPU, weights up to this many numbers are held unpacked while there is room for that: reading four bytes for one
 * (at 10 GB/s) then takes less than the six calls that scaling costs (about 8 µs each within a step).
 */
const PLAIN_NUMBERS = 2 ** 18;

/** @param weights with [outputs, inputs] */
export async function holdMatrix(weights: LinearWeights, source: Source): Promise<Matrix> {
  if (!isPacked(weights)) return new PlainMatrix(weights.weight.swapaxes(0, 1));
  if (ON_GPU) return packedMatrix(weights);
  const [outputs, groups] = weights.scales.shape as [number, number];
  const numbers = outputs * groups * weights.quantization.groupSize;
  const plainBytes = numbers * weights.scales.dtype.size;
  if (numbers <= PLAIN_NUMBERS && source.widen(plainBytes - packedBytes(weights))) {
    return new PlainMatrix(contiguous(unpack(weights).swapaxes(0, 1)));
  }
  return codedMatrix(weights, source);
}

function packedBytes({ weight, scales, biases }: PackedWeights): number {
  return weight.nbytes + scales.nbytes + biases.nbytes;
}

async function codedMatrix(packed: PackedWeights, source: Source): Promise<CodedMatrix> {
  const codes = await holdCodes(packed, source);
  return new CodedMatrix(codes, scaleFromRows(codes));
}

/** @param packed with [experts, outputs, inputs] */
export async function codedExpertMatrix(packed: PackedWeights, source: Source): Promise<CodedExpertMatrix> {
  const codes = await holdCodes(packed, source);
  return new CodedExpertMatrix(codes, scaleFromRows(mapCodes(codes, (tensor) => tensor.index(0))));
}

/** One code in each byte while there is room for that, which saves taking the bytes apart. */
function holdCodes(packed: PackedWeights, source: Source): Promise<Codes> {
  const planes = source.widen(wideningBytes(packed)) ? 1 : planesOf(packed.quantization);
  return layOut(packed, planes, source.settle);
}

export function packedMatrix(packed: PackedWeights): PackedMatrix {
  return new PackedMatrix(packed, unpackFromRows(packed));
}

/** The weights of all heads, in one of two forms. */
export interface HeldHeads extends Held {
  packed?: PackedHeads;
  /** [heads, inputs, outputs] */
  plain?: Tensor;
}

/**
 * On Metal they stay packed as they are: packing them anew would move the logits. On the CPU, where BLAS beats the
 * packed product at every size, they are unpacked for good, whether there is room for widening or not.
 * @param own [heads, rows, columns] @param plain the same as plain numbers
 * @param isTransposed whether rows are outputs
 */
export function holdHeads(
  own: LinearWeights,
  plain: Tensor,
  { isTransposed, source }: { isTransposed: boolean; source: Source },
): HeldHeads {
  if (isPacked(own) && ON_GPU) {
    const packed = new PackedHeads(own, unpackFromRows(own));
    return { packed, tensors: packed.tensors };
  }
  if (isPacked(own)) source.widen(plain.nbytes - packedBytes(own));
  const weight = contiguous(isTransposed ? plain.swapaxes(1, 2) : plain);
  return { plain: weight, tensors: [weight] };
}

/** Rows from which a packed weight is better unpacked for one plain product. */
export function unpackFromRows(packed: PackedWeights): number {
  const { scales, quantization } = packed;
  const { bits, groupSize } = quantization;
  const [outputs, groups] = scales.shape.slice(-2) as [number, number];
  const width = groups * groupSize;
  const isStacked = scales.ndim > 2;
  return measuredFasterFrom(`packed ${bits} ${groupSize}`, { width, dtype: scales.dtype }, () => {
    const some = mx.Slice(0, Math.min(outputs, Math.ceil(MEASURED_NUMBERS / width)));
    const part = (tensor: Tensor) => (isStacked ? tensor.index(0, some, ALL) : tensor.index(some, ALL));
    return neverAndAlways(PackedMatrix, mapPacked(packed, part));
  });
}

/**
 * Rows from which it is better to scale the codes than their product. At the latest when the product has more numbers,
 * which also take more memory: groups · rows · outputs against inputs · outputs.
 * @param codes of [outputs, inputs]
 */
function scaleFromRows(codes: Codes): number {
  const { biases, planes, groupSize } = codes;
  const [groups, outputs] = biases.shape as [number, number];
  const width = groups * groupSize;
  const rows = measuredFasterFrom(`coded ${planes} ${groupSize}`, { width, dtype: biases.dtype }, () => {
    const some = mx.Slice(0, Math.min(outputs, Math.ceil(MEASURED_NUMBERS / width)));
    return neverAndAlways(
      CodedMatrix,
      mapCodes(codes, (tensor) => contiguous(tensor.index('...', some))),
    );
  });
  return Math.min(rows, groupSize);
}

/** The products of a weight whose second way is taken never and always. */
function neverAndAlways<W>(Form: new (weight: W, fromRows: number) => Matrix, weight: W): [Product, Product] {
  const never = new Form(weight, Number.POSITIVE_INFINITY);
  const always = new Form(weight, 1);
  return [(x) => never.product(x), (x) => always.product(x)];
}
