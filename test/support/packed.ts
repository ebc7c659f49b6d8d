// Quantized weights of any bits and groups for tests, from a seed; and what they are worth as node-mlx unpacks them.
import './one-blas-thread.ts';
import { mx, type Tensor } from '../../agent/engine/mlx.ts';
import type { PackedWeights } from '../../agent/engine/weights.ts';

/** Numbers from −1 to 1. */
export function randomTensor(shape: number[], seed: number): Tensor {
  const size = shape.reduce((product, n) => product * n, 1);
  let state = (seed + 1) * 2654435761;
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state >>> 8) / 2 ** 23 - 1;
  };
  const flat = mx.array(Array.from({ length: size }, next));
  return shape.length === 1 ? flat : flat.reshape(...shape);
}

/** Any words; node-mlx takes only numbers that float32 holds, so from two halves. */
function randomWords(shape: number[], seed: number): Tensor {
  const half = (own: number) =>
    mx
      .multiply(mx.add(randomTensor(shape, own), 1), 32767.5)
      .astype(mx.int32)
      .astype(mx.uint32);
  return mx.bitwiseOr(mx.leftShift(half(seed), mx.array(16, mx.uint32)), half(seed + 1));
}

/** @param shape [..., outputs, inputs] */
export function randomPacked(shape: number[], bits: number, groupSize: number, seed = 1): PackedWeights {
  const outer = shape.slice(0, -1);
  const inputs = shape.at(-1) as number;
  const weights: PackedWeights = {
    weight: randomWords([...outer, (inputs * bits) / 32], seed),
    scales: mx.multiply(randomTensor([...outer, inputs / groupSize], seed + 2), 2 ** -bits),
    biases: mx.multiply(randomTensor([...outer, inputs / groupSize], seed + 3), 0.5),
    quantization: { bits, groupSize },
    stored: mx.float32,
  };
  mx.eval(weights.weight, weights.scales, weights.biases);
  return weights;
}

/** @param of with [outputs, inputs] */
export function unpacked({ weight, scales, biases, quantization }: PackedWeights): Tensor {
  return mx.dequantize(weight, scales, biases, quantization.groupSize, quantization.bits);
}

export function largestDifference(a: Tensor, b: Tensor): number {
  const difference = mx.subtract(a, b).flatten();
  return Math.max(difference.max(0).item() as number, -(difference.min(0).item() as number));
}
