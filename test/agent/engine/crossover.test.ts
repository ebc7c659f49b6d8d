// From how many rows on another way is faster, of measured times.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fasterFrom, type Sample } from '../../../agent/engine/crossover.ts';
import { measuredFasterFrom } from '../../../agent/engine/measure.ts';
import { mx } from '../../../agent/engine/mlx.ts';

function samples(...times: [rows: number, firstMs: number, secondMs: number][]): Sample[] {
  return times.map(([rows, firstMs, secondMs]) => ({ rows, firstMs, secondMs }));
}

test('where the second way costs a fixed time first, it wins from where the lines cross', () => {
  // 1 ms a row against 4 ms and 0.2 ms a row: equal at 5 rows
  assert.equal(fasterFrom(samples([1, 1, 4.2], [4, 4, 4.8], [16, 16, 7.2], [64, 64, 16.8])), 6);
});

test('it wins from the first row, or never', () => {
  assert.equal(fasterFrom(samples([1, 2, 1], [4, 8, 4])), 1);
  assert.equal(fasterFrom(samples([1, 1, 2], [4, 4, 8])), Number.POSITIVE_INFINITY);
});

test('a slip of the clock at few rows does not decide', () => {
  const rows = fasterFrom(samples([1, 9, 2], [4, 4, 8], [16, 16, 10]));
  assert.ok(rows > 4 && rows < 16, `${rows}`);
});

test('equal times are no reason to change', () => {
  assert.equal(fasterFrom(samples([1, 1, 1], [4, 4, 4])), Number.POSITIVE_INFINITY);
});

test('a kind of weight is measured once', () => {
  const weight = mx.ones([64, 64], mx.float32);
  const input = { width: 64, dtype: mx.float32 };
  let made = 0;
  const measure = (kind: string) =>
    measuredFasterFrom(kind, input, () => {
      made++;
      return [(x) => mx.matmul(x, weight), (x) => mx.matmul(x, weight.swapaxes(0, 1))];
    });
  const rows = measure('test a');
  assert.ok(rows >= 1);
  assert.equal(measure('test a'), rows);
  measure('test b');
  assert.equal(made, 2);
});
