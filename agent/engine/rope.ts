// Rotary positions with YaRN scaling, for interleaved pairs (x0, x1), (x2, x3), … as DeepSeek has them. Angles are
// computed in float64: node-mlx's own rope takes no frequency table, and float32 angles drift at long positions.
import { mx, type Tensor } from './mlx.ts';

export interface YarnScaling {
  factor: number;
  original_max_position_embeddings: number;
  beta_fast: number;
  beta_slow: number;
  mscale: number;
  mscale_all_dim: number;
}

/** YaRN's attention scale (Peng et al. 2023, eq. 22 with mscale): 0.1 · m · ln(factor) + 1. */
export function yarnScale(factor: number, mscale: number): number {
  return factor <= 1 ? 1 : 0.1 * mscale * Math.log(factor) + 1;
}

/**
 * Inverse frequencies of the pairs, and the factor for rotated values.
 * Formulas: YaRN (arXiv 2309.00071, section 3.2) as in DeepSeek-V3's reference code and mlx-lm's YarnRoPE.
 * @param dims width of the rotated part of a head, even
 */
export function ropeFrequencies(
  dims: number,
  base: number,
  scaling: YarnScaling | undefined,
): { inverse: number[]; magnitude: number } {
  const plain = Array.from({ length: dims / 2 }, (_, pair) => base ** (-(2 * pair) / dims));
  if (!scaling) return { inverse: plain, magnitude: 1 };
  const { factor, original_max_position_embeddings: trained } = scaling;
  // the dimension whose wave turns `turns` times over the trained context
  const dimensionAt = (turns: number) =>
    (dims * Math.log(trained / (turns * 2 * Math.PI))) / (2 * Math.log(base));
  const low = Math.max(Math.floor(dimensionAt(scaling.beta_fast)), 0);
  const high = Math.min(Math.ceil(dimensionAt(scaling.beta_slow)), dims - 1);
  const inverse = plain.map((frequency, pair) => {
    const ramp = (pair - low) / (high === low ? 0.001 : high - low);
    const keep = 1 - Math.min(Math.max(ramp, 0), 1);
    return (frequency / factor) * (1 - keep) + frequency * keep;
  });
  const magnitude = yarnScale(factor, scaling.mscale) / yarnScale(factor, scaling.mscale_all_dim);
  return { inverse, magnitude };
}

/** What rotates the rows of one step; the same for every layer. */
export interface Rotation {
  /** @param x [1, heads, tokens, dims] in the order of the step's tokens */
  apply(x: Tensor): Tensor;
}

export class Rope {
  readonly #inverse: number[];
  readonly #magnitude: number;
  /** [dims, dims]: x · swap = (−x1, x0, −x3, x2, …) */
  readonly #swap: Tensor;
  readonly #identity: Tensor;

  constructor(dims: number, base: number, scaling: YarnScaling | undefined) {
    const { inverse, magnitude } = ropeFrequencies(dims, base, scaling);
    this.#inverse = inverse;
    this.#magnitude = magnitude;
    const cell = (row: number, column: number) => {
      if (row % 2 === 0) return column === row + 1 ? 1 : 0;
      return column === row - 1 ? -1 : 0;
    };
    const square = (at: (row: number, column: number) => number) =>
      mx.array(
        Array.from({ length: dims }, (_, row) =>
          Array.from({ length: dims }, (_, column) => at(row, column)),
        ),
      );
    this.#swap = square(cell);
    this.#identity = square((row, column) => (row === column ? 1 : 0));
    mx.eval(this.#swap, this.#identity);
  }

  /** @param positions of the step's tokens, in order */
  rotation(positions: readonly number[]): Rotation {
    const table = (wave: (angle: number) => number) =>
      mx.array(
        positions.map((position) =>
          this.#inverse.flatMap((frequency) => {
            const value = wave(position * frequency) * this.#magnitude;
            return [value, value];
          }),
        ),
      );
    const cos = table(Math.cos); // [tokens, dims]
    const sin = table(Math.sin);
    if (positions.length === 1) {
      // one token: a single product with its rotation matrix instead of four calls a layer
      const matrix = mx.add(mx.multiply(this.#identity, cos), mx.multiply(this.#swap, sin));
      return { apply: (x) => mx.matmul(x, matrix.astype(x.dtype)) };
    }
    return {
      apply: (x) => mx.add(mx.multiply(x, cos), mx.multiply(mx.matmul(x, this.#swap), sin)).astype(x.dtype),
    };
  }
}
