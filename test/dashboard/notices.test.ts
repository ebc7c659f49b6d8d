import assert from 'node:assert/strict';
import { test } from 'node:test';
import { noticesOf } from '../../dashboard/notices.ts';
import { INITIAL_VIEW, reduce } from '../../dashboard/store.ts';
import { sampleLost, sampleStatus } from './sample.ts';

const live = (status = sampleStatus()) => reduce(INITIAL_VIEW, { kind: 'snapshot', status });

test('a cluster that serves needs no notice', () => {
  assert.deepEqual(noticesOf(live(), 0, 80), []);
});

test('the reason is given, and before it that the picture is old', () => {
  const gone = reduce(live(sampleLost()), { kind: 'gone', trouble: 'connection refused', at: 10_000 });
  assert.deepEqual(noticesOf(gone, 22_400, 120), [
    {
      kind: 'gone',
      text: '✗ no news for 12 s: connection refused (this picture is old; trying again)',
      lines: 1,
    },
    { kind: 'reason', text: '! studio-2 was lost; the other nodes lack 41 GiB to hold the model', lines: 1 },
  ]);
});

test('long texts get more lines, but not the whole screen', () => {
  const reason = 'word '.repeat(100);
  const [notice] = noticesOf(live(sampleStatus({ state: 'degraded', reason })), 0, 60);
  assert.equal(notice?.lines, 3);
  const [short] = noticesOf(live(sampleStatus({ state: 'degraded', reason: 'x'.repeat(60) })), 0, 60);
  assert.equal(short?.lines, 2);
});
