import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { summarize } from '../../../controller/trace/summary.ts';
import { makeTimeline } from '../../../controller/trace/timeline.ts';
import { TraceSummary as Schema, TRACE_PHASES, type TraceSummary } from '../../../protocol/trace.ts';
import { type RingOptions, ring } from './ring.ts';

function summaryOf(options: RingOptions, silent: number[] = []): TraceSummary {
  const told = ring(options).map((stage) =>
    silent.includes(stage.index) ? { ...stage, steps: undefined } : stage,
  );
  const summary = summarize(makeTimeline(told, 512));
  return Schema.parse(JSON.parse(JSON.stringify(summary)));
}

const percent = (share = 0) => Math.round(share * 100);

describe('summary', () => {
  test('one stream: the stages work in turn, and the shares of each are all of the time', () => {
    const { steps, stages, round, verdict } = summaryOf({ computeUs: [900, 600, 900], linkUs: [60, 60, 60] });
    assert.equal(steps, 20);
    for (const { phases } of stages) {
      const shares = TRACE_PHASES.map((phase) => phases[phase].share);
      assert.equal(percent(shares.reduce((sum, share) => sum + share, 0)), 100);
    }
    assert.deepEqual(
      stages.map(({ phases }) => [phases.compute.medianUs, phases.serialize.medianUs, phases.send.medianUs]),
      [
        [900, 40, 10],
        [600, 40, 10],
        [900, 40, 10],
      ],
    );
    // a way: 2,400 compute, 120 serialize, 80 deserialize, and of 60 on each link 10 are still spent sending
    assert.equal(Math.round(round?.meanUs ?? 0), 2_780);
    assert.equal(percent(round?.computeShare), percent(2_400 / 2_780));
    assert.equal(percent(round?.linkShare), percent(150 / 2_780));
    assert.equal(percent(round?.bytesShare), percent(230 / 2_780));
    assert.equal(percent(round?.queueShare), 0);
    assert.match(
      verdict,
      /is the busiest: it works \d\d% of the time, so the pipeline waits for compute, on one/,
    );
    assert.match(verdict, /more requests at once/);
  });

  test('many streams on uneven stages: the slow stage is named, and that all wait for its compute', () => {
    const options = { computeUs: [500, 1_500, 500], linkUs: [60, 60, 60], inFlight: 3, steps: 100 };
    const { stages, round, verdict } = summaryOf(options);
    assert.ok((stages[1]?.busyShare ?? 0) > 0.95);
    assert.ok((stages[0]?.busyShare ?? 1) < 0.5);
    assert.ok((round?.queueShare ?? 0) > 0.1, 'steps queue before it');
    assert.match(verdict, /^Stage 1 \(node-1, layers 4–7\) is the busiest/);
    assert.match(verdict, /waits for its compute\. A step's way .* waiting for a busy stage\.$/);
  });

  test("slow links: the pipeline waits for the link, however the stages' clocks are set", () => {
    const options = { computeUs: [500, 500, 500], linkUs: [300, 5_400, 300], clockUs: [0, 9e6, -9e6] };
    const { round, verdict } = summaryOf(options);
    // of the 6,000 on all links 10 each are still spent sending
    assert.equal(percent(round?.linkShare), percent(5_970 / 7_700));
    assert.match(
      verdict,
      /so the pipeline waits for the link\. A step's way through all stages takes 7\.7 ms: /,
    );
  });

  test('bytes that take long are the link at its ends', () => {
    const options = { computeUs: [500, 500, 500], linkUs: [100, 100, 100], serializeUs: 2_000 };
    assert.match(summaryOf(options).verdict, /so the pipeline waits for the link, at its ends\./);
    const packing = summaryOf({ ...options, inFlight: 3, steps: 100 });
    assert.match(
      packing.verdict,
      /between tensors and sockets, so the pipeline waits for the link, at this stage's end/,
    );
  });

  test('time in which nobody asks is not counted, the pauses between two tokens are', () => {
    const options = { computeUs: [900, 600], linkUs: [60, 60], tidyUs: 1_200 };
    const busy = summaryOf(options);
    const asked = summaryOf({ ...options, pauseUs: (step) => (step === 11 ? 60_000_000 : 0) });
    assert.ok(Math.abs(asked.activeUs - busy.activeUs) < 2_000, `${asked.activeUs} and ${busy.activeUs}`);
    for (const [i, stage] of asked.stages.entries()) {
      assert.ok(Math.abs(stage.busyShare - (busy.stages[i]?.busyShare ?? 0)) < 0.05);
    }
  });

  test('one stage: no way back, and tidying up is seen', () => {
    const { stages, round, verdict } = summaryOf({ computeUs: [900], linkUs: [0], tidyUs: 1_200, steps: 60 });
    assert.equal(percent(round?.computeShare), 100);
    const [only] = stages;
    assert.ok((only?.phases.tidy.share ?? 0) > 0.2, `${only?.phases.tidy.share}`);
    assert.match(
      verdict,
      /Stage 0 .* works 100% of the time, \d\d% computing, so the pipeline waits for its compute/,
    );
    const tidying = summaryOf({ computeUs: [100], linkUs: [0], tidyUs: 12_000, steps: 60 });
    assert.match(tidying.verdict, /tidying up, so the pipeline waits for its memory/);
  });

  test('no steps, or stages that do not answer: it says so', () => {
    const none = summaryOf({ computeUs: [1, 1], linkUs: [1, 1], steps: 0 });
    assert.deepEqual([none.steps, none.activeUs, none.round], [0, 0, null]);
    assert.equal(none.verdict, 'No step has run since this deployment began.');
    const options = { computeUs: [900, 600, 900], linkUs: [60, 60, 60] };
    const one = summaryOf(options, [1]);
    assert.deepEqual(
      one.stages.map(({ index }) => index),
      [0, 2],
    );
    assert.equal(one.round, null, 'what the silent stage took is not the link');
    assert.match(one.verdict, /Stage 1 did not answer in time and may be the reason/);
    const headless = summaryOf(options, [0]);
    assert.equal(headless.round, null);
    assert.match(headless.verdict, /so the steps wait for more than this stage\. Stage 0 did not answer/);
    assert.match(summaryOf(options, [0, 1, 2]).verdict, /^No step .* Stages 0, 1, 2 did not answer in time/);
  });
});
