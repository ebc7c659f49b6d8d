import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { mx } from '../../../../agent/engine/mlx.ts';
import { Mass, reach } from '../../../../agent/engine/sampling/mass.ts';
import { randomNumbers } from '../../../support/sampling.ts';

describe('Mass', () => {
  test('it finds the place of any target, whatever the size is of its blocks', () => {
    for (const size of [1, 2, 255, 256, 257, 1_000]) {
      const weights = Array.from({ length: size }, (_, i) => (i % 3 === 1 ? 0 : 1 + (i % 5)));
      const mass = new Mass(mx.array(weights, mx.float32));
      assert.equal(
        mass.total,
        weights.reduce((a, b) => a + b),
      );
      for (let target = 0.5; target <= mass.total; target += 0.5)
        assert.equal(mass.placeOf(target), reach(weights, target)?.place, `${target} of ${size}`);
    }
  });

  test('a whole vocabulary is added up to 1e-6, where one float32 sum is off by more', () => {
    const random = randomNumbers(3);
    const weights = Array.from({ length: 129_280 }, () => Math.fround(random()));
    const exact = weights.reduce((a, b) => a + b);
    const { total } = new Mass(mx.array(weights, mx.float32));
    assert.ok(Math.abs(total / exact - 1) < 1e-6, `${total} of ${exact}`);
  });

  test('a target within rounding of the end is the last token that has any weight', () => {
    const weights = [...new Array<number>(300).fill(0.1), ...new Array<number>(300).fill(0)].map(Math.fround);
    const mass = new Mass(mx.array(weights, mx.float32));
    assert.equal(mass.placeOf(mass.total), 299);
  });

  test('weights that are not finite or all 0 have no place', () => {
    assert.equal(new Mass(mx.array([1, Number.NaN])).placeOf(1), undefined);
    assert.equal(new Mass(mx.array([0, 0])).placeOf(1), undefined);
  });
});
