import assert from 'node:assert/strict';
import { test } from 'node:test';
import { firstTokenMs, stepMs, totalMs } from '../../../scripts/bench/generation.ts';

const generation = { tokens: [7, 8, 9, 10], atMs: [100, 110, 120, 160] };

test('the prefill is not a part of a step', () => {
  assert.equal(firstTokenMs(generation), 100);
  assert.equal(stepMs(generation), 20);
  assert.equal(totalMs(generation), 160);
});

test('steps of a part of the answer', () => {
  assert.equal(stepMs(generation, 0, 2), 10);
  assert.equal(stepMs(generation, 2), 40);
});

test('what there is no step or token for is refused, not told as 0 or NaN', () => {
  assert.throws(() => stepMs({ tokens: [7], atMs: [100] }), RangeError);
  assert.throws(() => stepMs(generation, 1, 9), RangeError);
  assert.throws(() => firstTokenMs({ tokens: [], atMs: [] }), RangeError);
});
