import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeTrace } from '../../../../controller/trace/trace.ts';
import type { Split } from '../../../../protocol/ranks.ts';
import type { RankTimes, TraceMetadata } from '../../../../protocol/trace.ts';
import { traceReport } from '../../../../scripts/cli/trace/trace-report.ts';
import { type RingOptions, ring } from '../../../controller/trace/ring.ts';

function metadataOf(options: RingOptions, silent: number[] = []): TraceMetadata {
  const told = ring(options).map((stage) =>
    silent.includes(stage.index) ? { ...stage, steps: undefined } : stage,
  );
  return makeTrace({ engine: 'node-mlx', model: 'demo-model', epoch: 7 }, told, 512).metadata;
}

const THREE = { computeUs: [9_000, 500, 700], linkUs: [60, 60, 60] };

test('a row for each stage, the shares of a row are all of the time, and the verdict', () => {
  const metadata = metadataOf(THREE);
  const report = traceReport(metadata);
  assert.match(
    report,
    /^The last 20 steps of demo-model, epoch 7: 2\d\d ms with at least one on its way\n\n/,
  );
  assert.match(
    report,
    /\nstage +node +layers +steps +busy +wait +compute +serialize +send +other\n +0 +node-0 +0–3 +20 +\d\d% .* 9\.0 ms +\d\d%/,
  );
  for (const line of report
    .split('\n')
    .filter((line) => line.includes('node-') && !line.startsWith('Stage'))) {
    const shares = [...line.matchAll(/(\d+)%/g)].map(([, share]) => Number(share)).slice(1);
    assert.equal(shares.length, 5, line);
    const sum = shares.reduce((total, share) => total + share, 0);
    assert.ok(Math.abs(sum - 100) <= 2, line);
  }
  assert.ok(report.endsWith(metadata.summary.verdict));
});

test('a stage that did not answer is in its row', () => {
  const report = traceReport(metadataOf(THREE, [1]));
  assert.match(report, /\n +1 +node-1 +4–7 +no answer in time\n/);
  assert.match(report, /Stage 1 did not answer in time/);
});

test('names from other machines cannot steer the terminal', () => {
  const metadata = metadataOf(THREE);
  for (const stage of metadata.stages) stage.node = '\u001b[2Jevil\n';
  assert.ok(!traceReport(metadata).includes('\u001b'));
});

test('on MLX Distributed: why there are no steps, and what each rank computes and waits instead', () => {
  const stages = ring({ ...THREE, steps: 0 });
  const reportOf = (split: Split, times: RankTimes[]) =>
    traceReport(
      makeTrace(
        { engine: 'mlx-distributed', model: 'demo-model', epoch: 7, ranks: { split, times } },
        stages,
        512,
      ).metadata,
    );
  const none = reportOf('pipeline', []);
  assert.match(none, /\n +1 +node-1 +4–7 +no step timed yet\n/);
  assert.match(none, /tells no steps.* None has timed one yet: ask for an answer of a hundred tokens\.$/);
  const times = [9, 3, 2].map((computeMs, index) => ({ index, computeMs, waitMs: 16 - computeMs }));
  assert.match(reportOf('pipeline', times.slice(1)), /node-0 has not timed one yet/);
  const pipeline = reportOf('pipeline', times);
  assert.match(pipeline, /^stage +node +layers +compute +wait\n +0 +node-0 +0–3 +9\.0 ms +7\.0 ms\n/);
  assert.match(
    pipeline,
    /of a step of 16\.0 ms, all together compute for 14\.0 ms, most of it node-0; the other 2\.0 ms/,
  );
  assert.match(
    reportOf('tensor', times),
    /the slowest \(node-0\) computes for 9\.0 ms; the other 7\.0 ms are the sums/,
  );
  assert.doesNotMatch(pipeline, /Ask something first/);
});

test('without steps it says what to do', () => {
  const report = traceReport(metadataOf({ ...THREE, steps: 0 }));
  assert.match(report, /^No step has run .* Ask something first, for example with `espalier chat`\.$/);
});
