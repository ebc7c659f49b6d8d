// Sums over a whole vocabulary that never leaves the device: the sums of its blocks do, and then one block. Added up here
// in float64, they are a thousand times as exact as one float32 sum on the CPU, which is off by 2e-4.
import { mx, type Tensor } from '../mlx.ts';

/** The square root of a vocabulary, about: as many numbers cross for the blocks as for one block. */
const BLOCK_TOKENS = 256;

/** The first place at which the sum of all values so far reaches `target`; undefined where it never does. */
export function reach(
  values: readonly number[],
  target: number,
): { place: number; before: number } | undefined {
  let before = 0;
  for (const [place, value] of values.entries()) {
    if (before + value >= target) return { place, before };
    before += value;
  }
  return undefined;
}

export class Mass {
  readonly total: number;
  readonly #blocks: Tensor; // [blocks, BLOCK_TOKENS]
  readonly #sums: number[];

  /** @param weights float32 [tokens], none negative */
  constructor(weights: Tensor) {
    const count = Math.ceil(weights.size / BLOCK_TOKENS);
    const missing = count * BLOCK_TOKENS - weights.size;
    const padded = missing > 0 ? mx.concatenate([weights, mx.zeros([missing], mx.float32)], 0) : weights;
    this.#blocks = padded.reshape(count, BLOCK_TOKENS);
    this.#sums = this.#blocks.sum(-1).tolist() as number[];
    this.total = this.#sums.reduce((sum, block) => sum + block, 0);
  }

  /**
   * The first place at which the sum of all weights so far reaches `target`.
   * @param target above 0 and at most `total`
   * @returns undefined where the weights are not finite, or all 0
   */
  placeOf(target: number): number | undefined {
    const block = reach(this.#sums, target);
    if (!block) return undefined;
    const weights = this.#blocks.index(block.place).tolist() as number[];
    const inside = reach(weights, target - block.before)?.place;
    // the block's float32 sum may be a little more than its weights: then it is the last one that has any
    const last = inside ?? weights.findLastIndex((weight) => weight > 0);
    return block.place * BLOCK_TOKENS + last;
  }
}
