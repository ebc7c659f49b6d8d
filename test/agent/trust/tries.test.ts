// Wrong codes: five are free, then each costs a delay that doubles, whatever happens to the process or to the clock.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { delayMs, Tries } from '../../../agent/trust/tries.ts';
import { tempHome } from '../../support/temp-home.ts';

test('five wrong codes are free, then one after each delay, which doubles up to an hour', () => {
  let now = 1_000_000;
  const tries = Tries.open(tempHome(), () => now);
  const waits: number[] = [];
  for (let i = 0; i < 14; i++) {
    assert.equal(tries.waitMs, 0);
    tries.fail();
    waits.push(tries.waitMs);
    now += tries.waitMs;
  }
  assert.deepEqual(waits.slice(0, 8), [0, 0, 0, 0, 30_000, 60_000, 120_000, 240_000]);
  assert.equal(waits.at(-1), 3_600_000);
  assert.equal(delayMs(10_000), 3_600_000, 'it is never too large for a number');
});

test('a restart forgives nothing, the right code forgives all', () => {
  const home = tempHome();
  const now = () => 5_000;
  const before = Tries.open(home, now);
  for (let i = 0; i < 6; i++) before.fail();
  const after = Tries.open(home, now);
  assert.equal(after.waitMs, 60_000);
  assert.equal(after.left, 0);
  after.forgive();
  assert.equal(Tries.open(home, now).waitMs, 0);
  assert.equal(Tries.open(home, now).left, 5);
});

test('a clock that was set back by years prolongs no delay', () => {
  const home = tempHome();
  let now = Date.UTC(2030, 0);
  const tries = Tries.open(home, () => now);
  for (let i = 0; i < 5; i++) tries.fail();
  now = Date.UTC(2020, 0);
  assert.equal(tries.waitMs, 30_000);
  assert.equal(Tries.open(home, () => now).waitMs, 30_000);
});

test('a damaged count is told, and not taken for none', () => {
  const home = tempHome();
  Tries.open(home).fail();
  writeFileSync(join(home, 'pairing-tries.json'), '{"failures":-1}');
  assert.throws(() => Tries.open(home), { code: 'home_damaged', message: /pairing-tries\.json/ });
});
