import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { mx } from '../../../../agent/engine/mlx.ts';
import { largest } from '../../../../agent/engine/sampling/largest.ts';
import { randomLogits } from '../../../support/sampling.ts';

/** The same by sorting everything. */
function expected(values: readonly number[], count: number) {
  const entries = values.map((value, id) => ({ id, value }));
  return entries.sort((a, b) => b.value - a.value || a.id - b.id).slice(0, count);
}

describe('largest', () => {
  test('of equal entries the lower ids come first, at every cut', () => {
    const values = [3, 1, 3, 2, 2, 3, 2, 1, 2, 0, -1, 2];
    for (let count = 1; count <= values.length + 1; count++)
      assert.deepEqual(largest(mx.array(values), count), expected(values, count), `${count}`);
  });

  test('entries that cannot be drawn come last', () => {
    const values = [Number.NEGATIVE_INFINITY, 1, Number.NEGATIVE_INFINITY, -5];
    for (let count = 1; count <= 4; count++)
      assert.deepEqual(largest(mx.array(values), count), expected(values, count), `${count}`);
  });

  test('a whole vocabulary, also one as coarse as bfloat16 makes it', () => {
    const fine = randomLogits(129_280, 3, 11);
    const coarse = fine.map((value) => Math.round(value * 8) / 8);
    for (const values of [fine, coarse]) {
      for (const count of [1, 20, 512])
        assert.deepEqual(largest(mx.array(values), count), expected(values, count), `${count}`);
    }
  });
});
