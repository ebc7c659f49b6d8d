import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Figure, figure, median } from '../../../scripts/bench/figure.ts';

const told = { suite: 's', name: 'n', unit: 'u', compared: 'this with that' };

const verdicts: [aim: string | null, value: number, holds: boolean | null][] = [
  ['>= 1.1', 1.1, true],
  ['>= 1.1', 1.099, false],
  ['<= 0.1', 0.1, true],
  ['<= 0.1', 0.2, false],
  ['>= 32768', 32_767, false],
  [null, 3, null],
];
for (const [aim, value, holds] of verdicts) {
  test(`${value} with the aim ${aim}: ${holds}`, () => {
    const made = figure({ ...told, aim, value });
    assert.equal(made.holds, holds);
    assert.deepEqual(Figure.parse(made), made);
  });
}

test('the median of an even number of values is the middle of the middle two, in any order', () => {
  assert.equal(median([9]), 9);
  assert.equal(median([5, 1, 100]), 5);
  assert.equal(median([10, 1, 3, 2]), 2.5);
});
