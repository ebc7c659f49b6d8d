import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Rate } from '../../controller/rate.ts';

test('a steady stream gives its rate over every window', () => {
  const rate = new Rate(0);
  for (let now = 0; now <= 120_000; now += 10) rate.add(now, 1);
  for (const window of [1_000, 3_000, 60_000])
    assert.ok(Math.abs(rate.perSecond(120_000, window) - 100) < 2, `${window}`);
});

test('what is older than the window is forgotten', () => {
  const rate = new Rate(0);
  rate.add(1_000, 300);
  assert.equal(rate.perSecond(2_000, 3_000), 150, 'over the two seconds that there were');
  assert.equal(rate.perSecond(30_000, 3_000), 0);
  assert.ok(rate.perSecond(30_000, 60_000) > 9);
  assert.equal(rate.perSecond(200_000, 60_000), 0);
});
