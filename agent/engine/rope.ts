// Rotary positions: plain, linear, llama3 and YaRN scaling, for interleaved pairs (x0, x1), (x2, x3), … as DeepSeek has
// them and for halves (x0, x[d/2]), … as Llama and Qwen have them. Angles are computed in float64: node-mlx's own rope
// takes no frequency table, and float32 angles drift at long positions.
import { z } from 'zod';
import { type Dtype, mx, type Tensor } from './mlx.ts';

const Plain = z.looseObject({ type: z.literal('default') });
const Linear = z.looseObject({ type: z.literal('linear'), factor: z.number().positive() });
const Llama3 = z.looseObject({
  type: z.literal('llama3'),
  factor: z.number().positive(),
  low_freq_factor: z.number().positive().default(1),
  high_freq_factor: z.number().positive().default(4),
  original_max_position_embeddings: z.int().min(1).default(8192),
});
const Yarn = z.looseObject({
  type: z.literal('yarn'),
  factor: z.number().positive(),
  original_max_position_embeddings: z.int().min(1).default(4096),
  beta_fast: z.number().positive().default(32),
  beta_slow: z.number().positive().default(1),
  mscale: z.number().default(1),
  mscale_all_dim: z.number().default(0),
});

/** config.json's `rope_scaling`, under any of the names that its kind goes by; absent for plain positions. */
export const RopeScaling = z.preprocess(
  named,
  z.discriminatedUnion('type', [Plain, Linear, Llama3, Yarn], {
    error: 'supported are the types "default", "linear", "llama3" and "yarn"',
  }),
);
export type RopeScaling = z.infer<typeof RopeScaling>;

function named(value: unknown): unknown {
  if (value === undefined || value === null) return { type: 'default' };
  if (typeof value !== 'object') return value;
  const fields = value as Record<string, unknown>;
  const type = fields.type ?? fields.rope_type ?? 'default';
  return { ...fields, type: type === 'deepseek_yarn' ? 'yarn' : type };
}

/** Configs of transformers 5 nest `rope_theta` and the scaling in `rope_parameters`: brings them where others have them. */
export function flattenRope(config: Record<string, unknown>): Record<string, unknown> {
  const nested = config.rope_parameters;
  if (typeof nested !== 'object' || nested === null) return config;
  const { rope_theta: theta } = nested as Record<string, unknown>;
  return {
    ...config,
    rope_theta: config.rope_theta ?? theta,
    rope_scaling: config.rope_scaling ?? nested,
  };
}

/** YaRN's attention scale (Peng et al. 2023, eq. 22 with mscale): 0.1 · m · ln(factor) + 1. */
export function yarnScale(factor: number, mscale: number): number {
  return factor <= 1 ? 1 : 0.1 * mscale * Math.log(factor) + 1;
}

interface Frequencies {
  /** radians a position, one a pair */
  inverse: number[];
  /** what rotated values are multiplied with */
  magnitude: number;
}

/** @param dims width of the rotated part of a head, even */
export function ropeFrequencies(dims: number, base: number, scaling: RopeScaling): Frequencies {
  const plain = Array.from({ length: dims / 2 }, (_, pair) => base ** (-(2 * pair) / dims));
  switch (scaling.type) {
    case 'default':
      return { inverse: plain, magnitude: 1 };
    case 'linear':
      return { inverse: plain.map((frequency) => frequency / scaling.factor), magnitude: 1 };
    case 'llama3':
      return { inverse: plain.map((frequency) => llama3(frequency, scaling)), magnitude: 1 };
    case 'yarn':
      return yarn(plain, dims, base, scaling);
  }
}

/** Llama 3.1: slow waves are stretched, fast ones kept, those between blended (mlx-lm's Llama3RoPE). */
function llama3(frequency: number, scaling: z.infer<typeof Llama3>): number {
  const { factor, low_freq_factor: low, high_freq_factor: high } = scaling;
  const turns = (scaling.original_max_position_embeddings * frequency) / (2 * Math.PI); // over the trained context
  if (turns < low) return frequency / factor;
  if (turns >= high) return frequency;
  const keep = (turns - low) / (high - low);
  return frequency * ((1 - keep) / factor + keep);
}

/** YaRN (arXiv 2309.00071, section 3.2) as in DeepSeek-V3's reference code and mlx-lm's YarnRoPE. */
function yarn(plain: number[], dims: number, base: number, scaling: z.infer<typeof Yarn>): Frequencies {
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
  /** @param x [tokens, heads, dims] in the order of the step's tokens */
  apply(x: Tensor): Tensor;
}

/**
 * Up to so many tokens have a matrix each, which rotates in one call instead of four. A matrix of 128 dims takes 64 KB:
 * this many stay within a core's cache.
 */
const MATRICES_UP_TO_TOKENS = 16;

export interface RopeOptions {
  /** width of the rotated part of a head, even */
  dims: number;
  base: number;
  scaling: RopeScaling;
  /** which numbers make a pair: neighbours, or the same places of the two halves */
  pairs: 'neighbours' | 'halves';
}

export class Rope {
  readonly #inverse: number[];
  readonly #magnitude: number;
  /** [dims, dims]: x · swap has each pair (a, b) as (−b, a) */
  readonly #swap: Tensor;
  readonly #identity: Tensor;
  /** [dims]: the pair of each dimension */
  readonly #pairs: Tensor;

  constructor({ dims, base, scaling, pairs }: RopeOptions) {
    const { inverse, magnitude } = ropeFrequencies(dims, base, scaling);
    this.#inverse = inverse;
    this.#magnitude = magnitude;
    const half = dims / 2;
    const isFirst = (place: number) => (pairs === 'halves' ? place < half : place % 2 === 0);
    const step = pairs === 'halves' ? half : 1;
    const square = (at: (row: number, column: number) => number) =>
      mx.array(
        Array.from({ length: dims }, (_, row) =>
          Array.from({ length: dims }, (_, column) => at(row, column)),
        ),
      );
    this.#swap = square((row, column) => {
      if (isFirst(column)) return row === column + step ? -1 : 0;
      return row === column - step ? 1 : 0;
    });
    this.#identity = square((row, column) => (row === column ? 1 : 0));
    const pairOf = (place: number) => (pairs === 'halves' ? place % half : place >> 1);
    this.#pairs = mx.array(
      Array.from({ length: dims }, (_, place) => pairOf(place)),
      mx.int32,
    );
    mx.eval(this.#swap, this.#identity, this.#pairs);
  }

  /** @param positions of the step's tokens, in order */
  rotation(positions: readonly number[]): Rotation {
    const table = (wave: (angle: number) => number) => {
      const values = positions.map((position) =>
        this.#inverse.map((frequency) => wave(position * frequency) * this.#magnitude),
      );
      const each = mx.take(mx.array(values), this.#pairs, 1);
      return each.reshape(positions.length, 1, each.shape[1] as number); // [tokens, 1, dims]
    };
    const cos = table(Math.cos);
    const sin = table(Math.sin);
    if (positions.length <= MATRICES_UP_TO_TOKENS) {
      const matrices = mx.add(mx.multiply(this.#identity, cos), mx.multiply(this.#swap, sin)); // [tokens, dims, dims]
      let own = matrices;
      return {
        apply: (x) => {
          own = as(x.dtype, own); // in all layers the same type
          return mx.matmul(x, own);
        },
      };
    }
    const rotated = (x: Tensor) => mx.add(mx.multiply(x, cos), mx.multiply(mx.matmul(x, this.#swap), sin));
    return { apply: (x) => as(x.dtype, rotated(x)) };
  }
}

function as(dtype: Dtype, tensor: Tensor): Tensor {
  return tensor.dtype === dtype ? tensor : tensor.astype(dtype);
}
