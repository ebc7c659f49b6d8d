// Codes laid out for BLAS mean exactly what node-mlx unpacks from the packed weight.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CodedMatrix } from '../../../agent/engine/coded-matrix.ts';
import { layOut, planesOf, wideningBytes } from '../../../agent/engine/codes.ts';
import { mx, type Tensor } from '../../../agent/engine/mlx.ts';
import { largestDifference, randomPacked, unpacked } from '../../support/packed.ts';
import { settle } from '../../support/stages.ts';

/** Rows with a single one each: their product with a weight is some of its columns. */
function unitRows(places: number[], width: number): Tensor {
  return mx
    .equal(mx.array(places, mx.int32).reshape(places.length, 1), mx.arange(width, mx.int32))
    .astype(mx.float32);
}

const NEVER = Number.POSITIVE_INFINITY;

for (const bits of [2, 4, 8]) {
  for (const groupSize of [32, 64, 128]) {
    test(`${bits} bits in groups of ${groupSize}: in one byte each and in filled bytes, in both forms of product`, async () => {
      const packed = randomPacked([24, 256], bits, groupSize);
      const expected = unpacked(packed).swapaxes(0, 1);
      const all = unitRows(
        Array.from({ length: 256 }, (_, i) => i),
        256,
      );
      for (const planes of new Set([1, planesOf(packed.quantization)])) {
        const codes = await layOut(packed, planes, settle);
        assert.equal(codes.bytes.nbytes, (24 * 256) / planes);
        for (const scaleFromRows of [1, NEVER]) {
          const product = new CodedMatrix(codes, scaleFromRows).product(all);
          assert.equal(
            largestDifference(product, expected),
            0,
            `${planes} planes, from ${scaleFromRows} rows`,
          );
        }
      }
    });
  }
}

test('a weight too large for one go is laid out in parts, in order', async () => {
  const [outputs, inputs] = [2500, 2048];
  const packed = randomPacked([outputs, inputs], 4, 64);
  const places = [0, 31, 32, 63, 64, 1999, 2047];
  const expected = mx.take(unpacked(packed), mx.array(places, mx.int32), 1).swapaxes(0, 1);
  for (const planes of [1, 2]) {
    const product = new CodedMatrix(await layOut(packed, planes, settle), NEVER).product(
      unitRows(places, inputs),
    );
    assert.equal(largestDifference(product, expected), 0);
  }
});

test('many weights too large for one go are laid out in parts, each its own', async () => {
  const shape = [5, 1024, 1024];
  const packed = randomPacked(shape, 4, 128);
  const codes = await layOut(packed, 2, settle);
  assert.deepEqual(codes.bytes.shape, [5, 8, 64, 1024]);
  for (const i of [0, 3, 4]) {
    const alone = {
      ...packed,
      weight: packed.weight.index(i),
      scales: packed.scales.index(i),
      biases: packed.biases.index(i),
    };
    const own = await layOut(alone, 2, settle);
    const same = mx.equal(codes.bytes.index(i), own.bytes).astype(mx.int32).flatten();
    assert.equal(same.min(0).item(), 1);
  }
});

test('widening says how many bytes it takes', async () => {
  const packed = randomPacked([24, 256], 2, 64);
  const [wide, filled] = [await layOut(packed, 1, settle), await layOut(packed, 4, settle)];
  assert.equal(wideningBytes(packed), wide.bytes.nbytes - filled.bytes.nbytes);
  assert.equal(filled.bytes.nbytes, packed.weight.nbytes);
});
