import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RateHistory } from '../../controller/rate-history.ts';

const sum = (samples: readonly (number | null)[]) =>
  samples.reduce<number>((all, sample) => all + (sample ?? 0), 0);

test('what is counted between two reports is spread over them, and nothing is lost', () => {
  const rates = new RateHistory();
  // reports that come early and late, as they do on a busy machine
  const times = [0, 480, 1_100, 1_490, 2_700, 3_000, 4_000];
  let counted = 0;
  for (const [index, to] of times.slice(1).entries()) {
    rates.add(times[index] ?? 0, to, 7);
    counted += 7;
  }
  const samples = rates.samples(4_000);
  assert.equal(samples.length, 4);
  assert.ok(Math.abs(sum(samples) - counted) < 1e-9, `${samples}`);
});

test('a steady rate is steady, whenever the reports come', () => {
  const rates = new RateHistory();
  for (let at = 130; at < 9_000; at += 310) rates.add(at, at + 310, 3.1);
  for (const sample of rates.samples(9_000)) assert.ok(Math.abs((sample ?? 0) - 10) < 1e-9, `${sample}`);
});

test('seconds without a report are unknown, not zero; a reported zero is zero', () => {
  const rates = new RateHistory();
  rates.add(0, 1_000, 5);
  rates.add(3_000, 4_000, 0);
  assert.deepEqual(rates.samples(5_000), [5, null, null, 0, null]);
});

test('it holds ten minutes, whatever came before and however long nobody reported', () => {
  const rates = new RateHistory();
  for (let second = 0; second < 1_500; second++) rates.add(second * 1_000, (second + 1) * 1_000, second);
  const samples = rates.samples(1_500_000);
  assert.equal(samples.length, 600);
  assert.deepEqual([samples[0], samples.at(-1)], [900, 1_499]);
  rates.add(9_000_000, 9_001_000, 1);
  assert.deepEqual(
    rates.samples(9_001_000).filter((sample) => sample !== null),
    [1],
  );
  rates.add(9_002_000, 9_001_500, 3);
  rates.add(0, 1_000, 3);
  assert.equal(
    sum(rates.samples(9_002_000)),
    1,
    'time that runs backwards, or is long gone, changes nothing',
  );
});
