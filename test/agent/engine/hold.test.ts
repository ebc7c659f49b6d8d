// Which form a weight is held in, by the room there is; and that every form is the same weight. On the CPU: on Metal
// weights stay as they are packed.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CodedMatrix } from '../../../agent/engine/coded-matrix.ts';
import { holdMatrix } from '../../../agent/engine/hold.ts';
import { PackedMatrix, PlainMatrix } from '../../../agent/engine/matrix.ts';
import { mx, ON_GPU } from '../../../agent/engine/mlx.ts';
import type { LinearWeights, Source } from '../../../agent/engine/weights.ts';
import { largestDifference, randomPacked, randomTensor, unpacked } from '../../support/packed.ts';
import { settle } from '../../support/stages.ts';

/** Sums of 128 products of numbers below 1. */
const TOLERANCE = 1e-5;

function sourceWith(roomBytes: number): Source & { left: () => number } {
  let left = roomBytes;
  return {
    settle,
    linear: () => Promise.reject(new Error('nothing is read here')),
    widen: (bytes) => {
      const fits = bytes <= left;
      if (fits) left -= bytes;
      return fits;
    },
    left: () => left,
  };
}

function bytesOf(tensors: readonly { nbytes: number }[]): number {
  return tensors.reduce((sum, { nbytes }) => sum + nbytes, 0);
}

const packed = randomPacked([64, 128], 4, 64);
const packedBytes = bytesOf([packed.weight, packed.scales, packed.biases]);

test('plain where there is room, one code in each byte where there is less, filled bytes where there is none', {
  skip: ON_GPU,
}, async () => {
  const expected = (rows: number) =>
    mx.matmul(randomTensor([rows, 128], rows), unpacked(packed).swapaxes(0, 1));
  for (const [room, Form, more] of [
    [1 << 20, PlainMatrix, 64 * 128 * 4 - packedBytes],
    [64 * 128, CodedMatrix, packed.weight.nbytes],
    [0, CodedMatrix, 0],
  ] as const) {
    const source = sourceWith(room);
    const matrix = await holdMatrix(packed, source);
    assert.ok(matrix instanceof Form, `${room} bytes of room: ${matrix.constructor.name}`);
    assert.equal(bytesOf(matrix.tensors), packedBytes + more);
    assert.equal(source.left(), room - more);
    for (const rows of [1, 5, 100]) {
      const worst = largestDifference(matrix.product(randomTensor([rows, 128], rows)), expected(rows));
      assert.ok(worst <= TOLERANCE, `${rows} rows: ${worst}`);
    }
  }
});

test('packed, both ways of its product are the same weight', () => {
  for (const unpackFromRows of [1, Number.POSITIVE_INFINITY]) {
    const x = randomTensor([3, 128], 1);
    const product = new PackedMatrix(packed, unpackFromRows).product(x);
    assert.ok(largestDifference(product, mx.matmul(x, unpacked(packed).swapaxes(0, 1))) <= TOLERANCE);
  }
});

test('a plain weight takes no room', async () => {
  const weights: LinearWeights = { weight: randomTensor([8, 16], 1), stored: mx.float32 };
  const source = sourceWith(100);
  const matrix = await holdMatrix(weights, source);
  const x = randomTensor([2, 16], 2);
  assert.equal(largestDifference(matrix.product(x), mx.matmul(x, weights.weight.swapaxes(0, 1))), 0);
  assert.equal(source.left(), 100);
});
