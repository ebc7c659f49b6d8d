// Every published figure is predicted within 25 %, or the table says which assumption fails there.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PUBLISHED } from '../../../scripts/bench/plan/published.ts';

test('no prediction is off by more than 25 % without a word about it', () => {
  for (const { what, source, published, predict, fails } of PUBLISHED) {
    const ratio = predict() / published;
    assert.ok(ratio > 0 && Number.isFinite(ratio), what);
    if (fails === undefined) assert.ok(ratio <= 1.25 && ratio >= 0.8, `${what} (${source}): ${ratio}`);
  }
});

test('most figures are no calibration, and most of those are predicted', () => {
  const checks = PUBLISHED.filter(({ isCalibration }) => !isCalibration);
  assert.ok(checks.length > 4 * (PUBLISHED.length - checks.length));
  const holding = checks.filter(({ published, predict }) => {
    const ratio = predict() / published;
    return ratio <= 1.25 && ratio >= 0.8;
  });
  assert.ok(holding.length > checks.length / 2, `${holding.length} of ${checks.length}`);
});
