// The door to node-mlx: our own typings for the calls that the engine makes (its published ones do not compile
// under `strict`). Nobody else loads the package; a process that does may be killed by it, so only stage workers do.
import { createRequire } from 'node:module';
import { EspalierError } from '../../protocol/errors.ts';

export interface Dtype {
  readonly size: number;
}
/** A slice of an axis, as `mx.Slice(start, stop)` makes it. */
export interface Slice {
  readonly start: number | null;
}
export type Index = Slice | '...' | number | Tensor;

export interface Tensor {
  readonly shape: number[];
  readonly size: number;
  readonly ndim: number;
  readonly nbytes: number;
  readonly dtype: Dtype;
  astype(dtype: Dtype): Tensor;
  flatten(): Tensor;
  index(...index: Index[]): Tensor;
  /** the index must be in a list: given bare, node-mlx frees an index tensor, and its next use is a SIGSEGV */
  indexPut_(index: Index[], value: Tensor): Tensor;
  item(): number | boolean;
  max(axis: number, keepdims?: boolean): Tensor;
  min(axis: number, keepdims?: boolean): Tensor;
  reshape(...shape: number[]): Tensor;
  sum(axis: number, keepdims?: boolean): Tensor;
  swapaxes(a: number, b: number): Tensor;
  tolist(): unknown;
  transpose(...axes: number[]): Tensor;
}

type Value = Tensor | number;

export interface Mlx {
  readonly float32: Dtype;
  readonly float16: Dtype;
  readonly bfloat16: Dtype;
  readonly uint8: Dtype;
  readonly uint32: Dtype;
  readonly int32: Dtype;
  Slice(start?: number | null, stop?: number | null): Slice;
  array(value: number | readonly number[] | readonly (readonly number[])[], dtype?: Dtype): Tensor;
  add(a: Value, b: Value): Tensor;
  /** c + a · b, batched as matmul is */
  addmm(c: Tensor, a: Tensor, b: Tensor): Tensor;
  arange(stop: number, dtype: Dtype): Tensor;
  argmax(a: Tensor, axis: number): Tensor;
  argpartition(a: Tensor, kth: number, axis: number): Tensor;
  argsort(a: Tensor): Tensor;
  blockSparseQMM(
    x: Tensor,
    w: Tensor,
    scales: Tensor,
    biases: Tensor,
    lhsIndices: Tensor,
    rhsIndices: Tensor,
    transpose: boolean,
    groupSize: number,
    bits: number,
  ): Tensor;
  blockSparseMM(a: Tensor, b: Tensor, lhsIndices: Tensor, rhsIndices: Tensor): Tensor;
  bitwiseAnd(a: Value, b: Value): Tensor;
  bitwiseOr(a: Value, b: Value): Tensor;
  broadcastTo(a: Tensor, shape: number[]): Tensor;
  concatenate(arrays: Tensor[], axis: number): Tensor;
  cumsum(a: Tensor): Tensor;
  dequantize(w: Tensor, scales: Tensor, biases: Tensor, groupSize: number, bits: number): Tensor;
  divide(a: Value, b: Value): Tensor;
  equal(a: Value, b: Value): Tensor;
  eval(...tensors: (Tensor | Tensor[])[]): void;
  /** on the CPU never below 8e-25, except for -Infinity: 0 */
  exp(a: Tensor): Tensor;
  greaterEqual(a: Value, b: Value): Tensor;
  leftShift(a: Tensor, b: Tensor): Tensor;
  less(a: Value, b: Value): Tensor;
  lessEqual(a: Value, b: Value): Tensor;
  load(path: string): Record<string, Tensor>;
  /** integers are converted inside, without a tensor that JavaScript would hold on to */
  matmul(a: Tensor, b: Tensor): Tensor;
  multiply(a: Value, b: Value): Tensor;
  negative(a: Tensor): Tensor;
  ones(shape: number[], dtype: Dtype): Tensor;
  power(a: Value, b: Value): Tensor;
  quantizedMatmul(
    x: Tensor,
    w: Tensor,
    scales: Tensor,
    biases: Tensor,
    transpose: boolean,
    groupSize: number,
    bits: number,
  ): Tensor;
  rightShift(a: Tensor, b: Tensor): Tensor;
  saveSafetensors(path: string, tensors: Record<string, Tensor>): void;
  sigmoid(a: Tensor): Tensor;
  softmax(a: Tensor, axis: number): Tensor;
  sort(a: Tensor): Tensor;
  split(a: Tensor, indices: number[], axis: number): Tensor[];
  stack(tensors: Tensor[], axis: number): Tensor;
  subtract(a: Value, b: Value): Tensor;
  sum(a: Tensor): Tensor;
  take(a: Tensor, indices: Tensor, axis: number): Tensor;
  takeAlongAxis(a: Tensor, indices: Tensor, axis: number): Tensor;
  topk(a: Tensor, k: number, axis: number): Tensor;
  where(condition: Tensor, x: Value, y: Value): Tensor;
  zeros(shape: number[], dtype: Dtype): Tensor;
  readonly fast: {
    rmsNorm(x: Tensor, weight: Tensor, eps: number): Tensor;
    scaledDotProductAttention(q: Tensor, k: Tensor, v: Tensor, scale: number, mask?: Tensor): Tensor;
  };
  readonly metal: { isAvailable(): boolean; deviceInfo(): Readonly<Record<string, unknown>> };
}

function load(): Mlx {
  try {
    const require = createRequire(import.meta.url);
    const { core } = require('@frost-beta/mlx') as { core: Mlx };
    return core;
  } catch (error) {
    const reason = error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error);
    throw new EspalierError('engine_missing', `node-mlx cannot be loaded: ${reason}`, { cause: error });
  }
}

export const mx: Mlx = load();

/** The whole of an axis. */
export const ALL: Slice = mx.Slice();

/** Whether computations run on Metal; on the CPU, node-mlx multiplies float32 matrices only (others abort). */
export const ON_GPU: boolean = mx.metal.isAvailable();

/**
 * What Metal recommends to keep resident at most (`recommendedMaxWorkingSetSize`), in bytes; null without Metal, and where
 * MLX does not tell.
 */
export function recommendedGpuBytes(): number | null {
  try {
    return ON_GPU ? workingSetBytes(mx.metal.deviceInfo()) : null;
  } catch {
    return null; // a figure for the plan is no reason to lose a stage
  }
}

/** The one figure of MLX's `metal::device_info` (mlx/backend/metal/metal.cpp) that is asked for. */
export function workingSetBytes(info: Readonly<Record<string, unknown>>): number | null {
  const bytes = Number(info.max_recommended_working_set_size);
  return Number.isSafeInteger(bytes) && bytes > 0 ? bytes : null;
}
