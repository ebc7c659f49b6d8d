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

test('the beginning of a prompt is told, the longest of an interval, when nothing else is in its step', () => {
  const meter = new Meter(0);
  const begin = (count: number) => ({ ...chunk, count });
  meter.step([begin(63)], 50);
  meter.step([begin(300), decode], 400);
  meter.step([{ ...begin(512), position: 512 }], 900);
  assert.equal('prefill' in meter.report(1_000, 0), false);
  meter.step([begin(64)], 60);
  meter.step([begin(512)], 500);
  meter.step([begin(200)], 210);
  assert.deepEqual(meter.report(2_000, 0).prefill, { tokens: 512, ms: 500 });
  assert.equal(meter.report(3_000, 0).prefill, undefined);
});
