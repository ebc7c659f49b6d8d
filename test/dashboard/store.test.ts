import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { INITIAL_VIEW, reduce, type ViewState } from '../../dashboard/store.ts';
import type { ClusterHistory } from '../../protocol/history.ts';
import { HISTORY_SAMPLES } from '../../protocol/limits.ts';
import type { ClusterStatus } from '../../protocol/status.ts';
import { SAMPLE_TIME, sampleNode, sampleStage, sampleStatus } from './sample.ts';

function see(view: ViewState, second: number, changes: Partial<ClusterStatus> = {}): ViewState {
  const status = sampleStatus({ at: SAMPLE_TIME + second * 1_000, ...changes });
  return reduce(view, { kind: 'snapshot', status });
}

describe('connection', () => {
  test('is tried until there is a picture; then the picture stays, with the time since when it is old', () => {
    const tried = reduce(INITIAL_VIEW, { kind: 'gone', trouble: 'connection refused', at: 1 });
    assert.deepEqual(tried.connection, { kind: 'connecting', trouble: 'connection refused' });
    const live = see(tried, 0);
    const gone = reduce(live, { kind: 'gone', trouble: 'connection refused', at: 5_000 });
    const longer = reduce(gone, { kind: 'gone', trouble: 'it closed the connection', at: 9_000 });
    assert.deepEqual(longer.connection, { kind: 'gone', trouble: 'it closed the connection', since: 5_000 });
    assert.equal(longer.status, live.status);
    assert.equal(see(longer, 10).connection.kind, 'live');
  });
});

describe('series', () => {
  test('several snapshots of one second are one sample, the last', () => {
    let view = INITIAL_VIEW;
    for (const [second, rate] of [
      [0, 1],
      [0.25, 2],
      [0.75, 3],
      [1, 4],
    ] as const)
      view = see(view, second, { tokensPerSecond: rate });
    assert.deepEqual(view.clusterSeries.samples, [3, 4]);
  });

  test('seconds without a picture are unknown, and no more than ten minutes are kept', () => {
    const view = see(see(INITIAL_VIEW, 0, { tokensPerSecond: 1 }), 3, { tokensPerSecond: 2 });
    assert.deepEqual(view.clusterSeries.samples, [1, null, null, 2]);
    const later = see(view, 1_000_000, { tokensPerSecond: 5 });
    assert.equal(later.clusterSeries.samples.length, HISTORY_SAMPLES);
    assert.equal(later.clusterSeries.samples.at(-1), 5);
  });

  test('a controller with an earlier clock begins anew', () => {
    const view = see(see(INITIAL_VIEW, 100), -100, { tokensPerSecond: 7 });
    assert.deepEqual(view.clusterSeries.samples, [7]);
  });

  test('a lost node and one without a stage have no rate', () => {
    const view = see(INITIAL_VIEW, 0, {
      nodes: [sampleNode(0), sampleNode(1, { state: 'lost' }), sampleNode(2)],
      stages: [sampleStage(0, { tokensPerSecond: 3 }), sampleStage(1, { tokensPerSecond: 4 })],
    });
    const rates = [0, 1, 2].map((index) => view.nodeSeries.get(`node-id-${index}`)?.samples);
    assert.deepEqual(rates, [[3], [null], [null]]);
  });
});

describe('history', () => {
  const history = (second: number, samples: (number | null)[]): ClusterHistory => ({
    at: SAMPLE_TIME + second * 1_000,
    stepMs: 1_000,
    tokensPerSecond: samples,
    nodes: [{ id: 'node-id-0', tokensPerSecond: samples, busyShare: samples }],
  });

  test('what was before the dashboard was opened comes before what it has seen', () => {
    const seen = see(see(INITIAL_VIEW, 10, { tokensPerSecond: 50 }), 11, { tokensPerSecond: 51 });
    const view = reduce(seen, { kind: 'history', history: history(10, [7, 8, 9]) });
    assert.deepEqual(view.clusterSeries.samples, [7, 8, 9, 50, 51]);
    assert.deepEqual(view.nodeSeries.get('node-id-0')?.samples.slice(0, 3), [7, 8, 9]);
    assert.deepEqual(see(view, 12, { tokensPerSecond: 52 }).clusterSeries.samples.at(-1), 52);
  });

  test('where both tell of a second, the history counts: it has all of it', () => {
    const seen = see(see(INITIAL_VIEW, 10, { tokensPerSecond: 50 }), 11, { tokensPerSecond: 51 });
    const view = reduce(seen, { kind: 'history', history: history(11, [8, 9]) });
    assert.deepEqual(view.clusterSeries.samples, [8, 9, 51]);
  });

  test('what nobody reported in between is unknown', () => {
    const seen = see(INITIAL_VIEW, 12, { tokensPerSecond: 52 });
    const view = reduce(seen, { kind: 'history', history: history(10, [9]) });
    assert.deepEqual(view.clusterSeries.samples, [9, null, null, 52]);
  });
});
