import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AwakeClock } from '../../agent/awake-clock.ts';

function clock(blockedMs = 0): { at(nowMs: number): number } {
  let now = 0;
  const awake = new AwakeClock(
    500,
    () => blockedMs,
    () => now,
  );
  return {
    at(nowMs) {
      now = nowMs;
      return awake.now();
    },
  };
}

test('looked at regularly it is a clock like any other', () => {
  const { at } = clock();
  for (const now of [100, 500, 1_000, 2_400, 2_400, 3_800]) assert.equal(at(now), now);
});

test('what is slept does not count', () => {
  const { at } = clock();
  assert.equal(at(400), 400);
  // a minute under a lid: no more than a late look could be
  assert.equal(at(60_400), 400 + 1_500);
  assert.equal(at(60_900), 400 + 1_500 + 500);
});

test('being blocked by its own work is no sleep', () => {
  const { at } = clock(20_000);
  assert.equal(at(20_000), 20_000);
  assert.equal(at(100_000), 20_000 + 21_500);
});
