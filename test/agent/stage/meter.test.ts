import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Meter } from '../../../agent/stage/meter.ts';

const decode = { session: 1, position: 9, count: 1, sample: true };
const chunk = { session: 2, position: 0, count: 100, sample: false };

test('an interval tells what happened in it, and the next begins anew', () => {
  const meter = new Meter(0);
  meter.step([decode, decode], 10);
  meter.step([decode], 20);
  meter.step([decode, chunk], 200);
  assert.deepEqual(meter.report(1_000, 5_000), {
    stepsTotal: 3,
    tokensTotal: 104,
    tokensPerSecond: 104,
    decodeTokensPerSecond: 4,
    stepTimeMs: 15, // of the two steps that decode only
    busyShare: 0.23,
    hopBytesPerSecond: 5_000,
  });
  assert.deepEqual(meter.report(3_000, 6_000), {
    stepsTotal: 3,
    tokensTotal: 104,
    tokensPerSecond: 0,
    decodeTokensPerSecond: 0,
    stepTimeMs: null,
    busyShare: 0,
    hopBytesPerSecond: 500,
  });
});
