import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limitingStage } from '../../dashboard/limiting.ts';
import { sampleDeploying, sampleStage, sampleStatus } from './sample.ts';

const stages = (...shares: number[]) =>
  shares.map((busyShare, index) => sampleStage(index, { busyShare, stepTimeMs: 40 + index }));

test('a stage without time to spare limits, with its figures', () => {
  const status = sampleStatus({ stages: stages(0.4, 0.93, 0.5), requestsRunning: 8 });
  const limiting = limitingStage(status);
  assert.equal(limiting?.stage, 1);
  assert.equal(limiting?.reason, 'studio-2 limits: busy 93%, 41 ms a step; the next 50%');
});

test('where no stage is full, that is said, and why not', () => {
  const one = limitingStage(sampleStatus({ stages: stages(0.3, 0.2, 0.25), requestsRunning: 1 }));
  assert.match(one?.reason ?? '', /^studio-1 is the busiest: .*No stage is full: 1 of 3 stages can be busy/);
  const many = limitingStage(sampleStatus({ stages: stages(0.3, 0.2, 0.6), requestsRunning: 9 }));
  assert.match(many?.reason ?? '', /^studio-3 .*the rest goes to hops and waiting$/);
});

test('while nothing runs, the longest step is what can be compared', () => {
  const status = sampleStatus({ stages: stages(0, 0, 0), requestsRunning: 0 });
  assert.deepEqual(limitingStage(status), {
    stage: 2,
    reason: 'studio-3 has the longest step: 42 ms; the next 41 ms',
  });
});

test('nothing limits where nothing was measured, where there is one stage, or where the cluster does not serve', () => {
  assert.equal(limitingStage(sampleDeploying()), null);
  assert.equal(limitingStage(sampleStatus({ stages: stages(0.9) })), null);
  const unmeasured = [0, 1].map((index) => sampleStage(index, { busyShare: null, stepTimeMs: null }));
  assert.equal(limitingStage(sampleStatus({ stages: unmeasured })), null);
});
