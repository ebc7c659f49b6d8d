import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeTimeline } from '../../../controller/trace/timeline.ts';
import { ring } from './ring.ts';

const THREE = { computeUs: [900, 500, 700], linkUs: [60, 60, 60], clockUs: [1e9, 9e9, 2e9] };

test('all stages on one clock that begins with the first step', () => {
  const { startUs, stages, missing } = makeTimeline(ring(THREE), 100);
  assert.equal(startUs, 1e9);
  assert.deepEqual(missing, []);
  assert.deepEqual(
    stages.map(({ steps }) => [steps.length, steps[0]?.beginUs]),
    [
      [20, 0],
      [20, 1_000],
      [20, 1_640],
    ],
  );
  assert.equal(stages[0]?.steps[0]?.answeredUs, 2_480);
});

test('the last steps alone, the same on every stage; the others still help to align', () => {
  const told = ring(THREE);
  told[0]?.steps.pop(); // the head tells before the others: it has not ended the last step yet
  const { stages } = makeTimeline(told, 3);
  assert.deepEqual(
    stages.map(({ steps }) => steps.map(({ step }) => step)),
    [
      [18, 19],
      [18, 19, 20],
      [18, 19, 20],
    ],
  );
  assert.equal(stages[1]?.clock.offsetUs, -8e9);
});

test('a stage that told nothing is named, and the others are aligned over it', () => {
  const told = ring(THREE).map((stage) => (stage.index === 1 ? { ...stage, steps: undefined } : stage));
  const { stages, missing } = makeTimeline(told, 100);
  assert.deepEqual(
    missing.map(({ node }) => node),
    ['node-1'],
  );
  const [, last] = stages;
  assert.equal(last?.index, 2);
  // the way over stage 1 counts as one hop of 60 + 580 + 60
  assert.ok(Math.abs((last?.clock.offsetUs ?? 0) + 1e9) <= (last?.clock.uncertaintyUs ?? 0));
});

test('without steps there is no beginning', () => {
  const told = ring({ ...THREE, steps: 0 });
  assert.deepEqual(
    [makeTimeline(told, 100).startUs, makeTimeline(told, 100).stages.length, makeTimeline([], 1).stages],
    [undefined, 3, []],
  );
});
