import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HISTORY_SAMPLES, INITIAL_VIEW, reduce, type ViewState } from '../../dashboard/store.ts';
import type { ClusterStatus } from '../../protocol/status.ts';
import { SAMPLE_TIME, sampleNode, sampleStage, sampleStatus } from './sample.ts';

const after = (view: ViewState, ...statuses: ClusterStatus[]): ViewState =>
  statuses.reduce((state, status) => reduce(state, { kind: 'snapshot', status }), view);

test('before the first picture it connects, and knows why that fails', () => {
  assert.deepEqual(INITIAL_VIEW.connection, { kind: 'connecting', trouble: null });
  const view = reduce(INITIAL_VIEW, { kind: 'gone', trouble: 'connection refused', at: 5 });
  assert.deepEqual(view.connection, { kind: 'connecting', trouble: 'connection refused' });
  assert.equal(view.status, null);
});

test('a controller that goes away leaves its last picture and the time of the first failure', () => {
  const status = sampleStatus();
  let view = after(INITIAL_VIEW, status);
  assert.deepEqual(view.connection, { kind: 'live' });
  view = reduce(view, { kind: 'gone', trouble: 'it closed the connection', at: 1_000 });
  view = reduce(view, { kind: 'gone', trouble: 'connection refused', at: 2_000 });
  assert.deepEqual(view.connection, { kind: 'gone', trouble: 'connection refused', since: 1_000 });
  assert.equal(view.status, status);
  view = after(view, sampleStatus({ at: SAMPLE_TIME + 500 }));
  assert.deepEqual(view.connection, { kind: 'live' });
});

test('histories hold the last samples of each node, oldest first', () => {
  let view: ViewState = INITIAL_VIEW;
  for (let i = 0; i < HISTORY_SAMPLES + 5; i += 1) {
    const stages = [sampleStage(0, { tokensPerSecond: i })];
    view = after(
      view,
      sampleStatus({ at: SAMPLE_TIME + i, stages, nodes: [sampleNode(0)], tokensPerSecond: 2 * i }),
    );
  }
  const history = view.nodeHistory.get('node-id-0');
  assert.equal(history?.length, HISTORY_SAMPLES);
  assert.equal(history?.[0], 5);
  assert.equal(history?.at(-1), HISTORY_SAMPLES + 4);
  assert.equal(view.clusterHistory.at(-1), 2 * (HISTORY_SAMPLES + 4));
});

test('a snapshot that comes twice is counted once', () => {
  const view = after(INITIAL_VIEW, sampleStatus(), sampleStatus());
  assert.equal(view.clusterHistory.length, 1);
  const other = after(view, sampleStatus({ controllerPid: 1 }));
  assert.equal(other.clusterHistory.length, 2);
});

test('nodes without a stage, lost nodes and unmeasured stages leave gaps, and a node that is gone is forgotten', () => {
  const status = sampleStatus({
    nodes: [sampleNode(0), sampleNode(1, { state: 'lost' }), sampleNode(2), sampleNode(3)],
    stages: [sampleStage(0), sampleStage(1), sampleStage(2, { tokensPerSecond: null })],
  });
  const view = after(INITIAL_VIEW, status);
  assert.deepEqual(
    [...view.nodeHistory],
    [
      ['node-id-0', [12.3]],
      ['node-id-1', [null]],
      ['node-id-2', [null]],
      ['node-id-3', [null]],
    ],
  );
  const later = after(view, sampleStatus({ at: SAMPLE_TIME + 1, nodes: [sampleNode(0)] }));
  assert.deepEqual([...later.nodeHistory.keys()], ['node-id-0']);
});

test('a view state is never changed afterwards', () => {
  const first = after(INITIAL_VIEW, sampleStatus());
  const copy = structuredClone(first);
  after(first, sampleStatus({ at: SAMPLE_TIME + 1 }));
  assert.deepEqual(first, copy);
});
