// Quantized weights laid out for BLAS: the codes of one group of inputs after the other, in bytes, with the outputs side
// by side. A code still means scale · code + bias, so nothing changes but the order. It must not know who multiplies.
import type { Quantization } from '../../protocol/model-folder.ts';
import { ALL, mx, type Slice, type Tensor } from './mlx.ts';
import type { PackedWeights } from './weights.ts';

/** [outputs, inputs], or with further axes in front (experts). */
export interface Codes {
  /**
   * uint8 [..., groups, groupSize / planes, outputs]: bits from plane · bits on are the code of the input
   * plane · groupSize / planes + place of the group
   */
  bytes: Tensor;
  /** [..., groups, 1, outputs] */
  scales: Tensor;
  /** [..., groups, outputs] */
  biases: Tensor;
  /** codes in one byte */
  planes: number;
  groupSize: number;
}

/** Codes that are laid out at once: what is needed beside the result is about seven bytes each. */
const SLAB_CODES = 1 << 22;

/** Codes that share a byte when it is filled. */
export function planesOf({ bits }: Quantization): number {
  return 8 / bits;
}

/** Bytes that one code in each byte takes beyond filled bytes. */
export function wideningBytes({ weight, quantization }: PackedWeights): number {
  return weight.nbytes * (planesOf(quantization) - 1);
}

/**
 * Lays a packed weight out.
 * @param planes codes in one byte: 1, or what `planesOf` says
 * @param settle gives memory back between the parts of a large weight
 */
export async function layOut(
  packed: PackedWeights,
  planes: number,
  settle: () => Promise<void>,
): Promise<Codes> {
  const { weight, scales, biases, quantization } = packed;
  const { groupSize } = quantization;
  const outer = weight.shape.slice(0, -2);
  const [outputs, groups] = scales.shape.slice(-2) as [number, number];
  const count = outer.reduce((product, n) => product * n, 1); // matrices: one, or as many as there are experts
  const words = weight.reshape(count, outputs, weight.shape.at(-1) as number);
  const codesEach = outputs * groups * groupSize;
  const matricesAtOnce = Math.max(1, Math.floor(SLAB_CODES / codesEach));
  const outputsAtOnce = Math.max(1, Math.floor(SLAB_CODES / (groups * groupSize)));
  const isWhole = matricesAtOnce >= count && outputsAtOnce >= outputs;
  const slab = async (matrices: Slice, columns: Slice) => {
    const bytes = inPlanes(codesOf(words.index(matrices, columns), packed), groups, planes);
    mx.eval(bytes);
    if (!isWhole) await settle();
    return bytes;
  };
  const slabs: Tensor[] = [];
  for (const matrices of slices(count, matricesAtOnce)) {
    const parts: Tensor[] = [];
    for (const columns of slices(outputs, outputsAtOnce)) parts.push(await slab(matrices, columns));
    slabs.push(joined(parts, -1));
  }
  return {
    bytes: joined(slabs, 0).reshape(...outer, groups, groupSize / planes, outputs),
    scales: contiguous(scales.swapaxes(-1, -2)).reshape(...outer, groups, 1, outputs),
    biases: contiguous(biases.swapaxes(-1, -2)),
    planes,
    groupSize,
  };
}

/** Applies `part` to all three tensors alike. */
export function mapCodes(codes: Codes, part: (tensor: Tensor) => Tensor): Codes {
  const { bytes, scales, biases } = codes;
  return { ...codes, bytes: part(bytes), scales: part(scales), biases: part(biases) };
}

/** One plane's codes, uint8 in the shape of `bytes`. */
export function planeOf({ bytes, planes }: Codes, plane: number): Tensor {
  if (planes === 1) return bytes;
  const bits = 8 / planes;
  const shifted = plane === 0 ? bytes : mx.rightShift(bytes, mx.array(plane * bits, mx.uint8));
  return plane === planes - 1 ? shifted : mx.bitwiseAnd(shifted, mx.array(2 ** bits - 1, mx.uint8));
}

/** The codes of packed words, one in each byte: uint8 [count, outputs, inputs]. */
function codesOf(words: Tensor, { quantization: { bits, groupSize } }: PackedWeights): Tensor {
  const [count, outputs, width] = words.shape as [number, number, number];
  const inputs = (width * 32) / bits;
  const groups = [count * outputs, inputs / groupSize];
  // with scales of 1 and biases of 0, what node-mlx unpacks are the codes themselves
  const codes = mx.dequantize(
    words.reshape(count * outputs, width),
    mx.ones(groups, mx.float32),
    mx.zeros(groups, mx.float32),
    groupSize,
    bits,
  );
  return codes.astype(mx.uint8).reshape(count, outputs, inputs);
}

/** @param codes [count, outputs, inputs] @returns [count, groups, groupSize / planes, outputs] */
function inPlanes(codes: Tensor, groups: number, planes: number): Tensor {
  const [count, outputs, inputs] = codes.shape as [number, number, number];
  const groupSize = inputs / groups;
  const split = codes.reshape(count, outputs, groups, planes, groupSize / planes);
  let bytes = split.index(ALL, ALL, ALL, 0);
  for (let plane = 1; plane < planes; plane++) {
    const shift = mx.array((8 / planes) * plane, mx.uint8);
    bytes = mx.bitwiseOr(bytes, mx.leftShift(split.index(ALL, ALL, ALL, plane), shift));
  }
  return contiguous(bytes.transpose(0, 2, 3, 1));
}

function joined(parts: Tensor[], axis: number): Tensor {
  return parts.length === 1 ? (parts[0] as Tensor) : mx.concatenate(parts, axis);
}

function slices(count: number, atOnce: number): Slice[] {
  return Array.from({ length: Math.ceil(count / atOnce) }, (_, i) =>
    mx.Slice(i * atOnce, Math.min((i + 1) * atOnce, count)),
  );
}

/** A copy in the order of its axes; node-mlx has no call for it, but a flat tensor is in order. */
export function contiguous(tensor: Tensor): Tensor {
  const copy = tensor.flatten().reshape(...tensor.shape);
  mx.eval(copy);
  return copy;
}
