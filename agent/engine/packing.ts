// Weights of 3 and 6 bits: node-mlx (MLX 0.14) knows 2, 4 and 8. Their numbers are repacked as they are into 4 and 8
// bits, so that nothing changes but the space: a number still means scale · number + bias.
import { loadedBits } from '../../protocol/model-folder.ts';
import { mx, type Tensor } from './mlx.ts';

/** Words that are repacked at once: what is needed beside the result is about thirteen times as much. */
const SLAB_WORDS = 1 << 22;

/**
 * Repacks a weight of 3 or 6 bits; any other is returned as it is.
 * @param packed uint32 [..., inputs · bits / 32]: numbers one after the other from the lowest bit on
 * @param settle gives memory back between the parts of a large weight
 * @returns uint32 [..., inputs · loadedBits / 32]
 */
export async function repack(packed: Tensor, bits: number, settle: () => Promise<void>): Promise<Tensor> {
  if (loadedBits(bits) === bits) return packed;
  const shape = [...packed.shape];
  const words = shape.pop() ?? 0;
  const rows = packed.size / words;
  const flat = packed.reshape(rows, words);
  const rowsAtOnce = Math.max(1, Math.floor(SLAB_WORDS / words));
  const slabs: Tensor[] = [];
  for (let begin = 0; begin < rows; begin += rowsAtOnce) {
    const slab = spread(flat.index(mx.Slice(begin, Math.min(begin + rowsAtOnce, rows))), bits);
    mx.eval(slab);
    slabs.push(slab);
    await settle();
  }
  const whole = slabs.length === 1 ? (slabs[0] as Tensor) : mx.concatenate(slabs, 0);
  return whole.reshape(...shape, (words * loadedBits(bits)) / bits);
}

/** @param packed uint32 [rows, 3n] @returns uint32 [rows, 4n] */
function spread(packed: Tensor, bits: number): Tensor {
  const [rows, words] = packed.shape as [number, number];
  const three = packed.reshape(rows, words / 3, 3);
  const word = (place: number) => three.index('...', place); // [rows, n]
  // 96 bits as four times 24
  const quarters = [
    and(word(0), 0xff, 0xffff),
    or(right(word(0), 24), left(and(word(1), 0, 0xffff), 8)),
    or(right(word(1), 16), left(and(word(2), 0, 0xff), 16)),
    right(word(2), 8),
  ];
  // each 24 bits apart: 12 in 16, 6 in 8 and, for numbers of 3 bits, 3 in 4
  const twelves = apart(mx.stack(quarters, 2), [0, 0xfff], [0xff, 0xf000], 4); // [rows, n, 4]
  const sixes = apart(twelves, [0x3f, 0x3f], [0xfc0, 0xfc0], 2);
  const all = bits === 6 ? sixes : apart(sixes, [0x0707, 0x0707], [0x3838, 0x3838], 1);
  return all.reshape(rows, (words / 3) * 4);
}

/** Leaves the bits of `low` where they are and moves those of `high` up by `count`. */
function apart(x: Tensor, low: [number, number], high: [number, number], count: number): Tensor {
  return or(and(x, ...low), left(and(x, ...high), count));
}

/** With the mask whose upper and lower 16 bits are given: node-mlx reads numbers as float32, so 32 bits do not pass whole. */
function and(x: Tensor, upper: number, lower: number): Tensor {
  return mx.bitwiseAnd(x, or(left(uint32(upper), 16), uint32(lower)));
}

function or(a: Tensor, b: Tensor): Tensor {
  return mx.bitwiseOr(a, b);
}

function left(x: Tensor, count: number): Tensor {
  return mx.leftShift(x, uint32(count));
}

function right(x: Tensor, count: number): Tensor {
  return mx.rightShift(x, uint32(count));
}

function uint32(value: number): Tensor {
  return mx.array(value, mx.uint32);
}
