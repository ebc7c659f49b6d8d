// Products with coded weights against the product with the unpacked weight, for any number of rows.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CodedExpertMatrix, CodedMatrix } from '../../../agent/engine/coded-matrix.ts';
import { layOut } from '../../../agent/engine/codes.ts';
import { mx } from '../../../agent/engine/mlx.ts';
import { largestDifference, randomPacked, randomTensor, unpacked } from '../../support/packed.ts';
import { settle } from '../../support/stages.ts';

/** Sums of 256 products of numbers below 1. */
const TOLERANCE = 2e-5;

test('both forms of product give what the unpacked weight gives, for one row and many', async () => {
  const packed = randomPacked([48, 256], 4, 64);
  const weight = unpacked(packed).swapaxes(0, 1);
  for (const planes of [1, 2]) {
    const codes = await layOut(packed, planes, settle);
    for (const rows of [1, 2, 7, 40]) {
      const x = randomTensor([rows, 256], rows);
      for (const scaleFromRows of [1, Number.POSITIVE_INFINITY]) {
        const product = new CodedMatrix(codes, scaleFromRows).product(x);
        assert.deepEqual(product.shape, [rows, 48]);
        const worst = largestDifference(product, mx.matmul(x, weight));
        assert.ok(worst <= TOLERANCE, `${rows} rows, ${planes} planes: ${worst}`);
      }
    }
  }
});

test('some experts at once give what each gives alone, with the same rows or with its own', async () => {
  const packed = randomPacked([6, 48, 256], 4, 64);
  for (const planes of [1, 2]) {
    const matrix = new CodedExpertMatrix(await layOut(packed, planes, settle), 16);
    for (const rows of [1, 3]) {
      const own = randomTensor([3, rows, 256], rows);
      for (const x of [own, own.index(mx.Slice(0, 1))]) {
        const together = matrix.some([4, 0, 5], x);
        assert.deepEqual(together.shape, [3, rows, 48]);
        for (const [i, expert] of [4, 0, 5].entries()) {
          const alone = matrix.one(expert, x.index(x === own ? i : 0));
          assert.ok(largestDifference(together.index(i), alone) <= TOLERANCE);
        }
      }
    }
  }
});

test('an expert that is not there is an error, not a read beyond the weights', async () => {
  const matrix = new CodedExpertMatrix(await layOut(randomPacked([2, 32, 64], 4, 64), 1, settle), 16);
  assert.throws(() => matrix.one(2, randomTensor([1, 64], 1)), /no expert 2/);
});
