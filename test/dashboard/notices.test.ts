import assert from 'node:assert/strict';
import { test } from 'node:test';
import { noticesOf } from '../../dashboard/notices.ts';
import { INITIAL_VIEW, reduce } from '../../dashboard/store.ts';
import { sampleDeploying, sampleStatus } from './sample.ts';

test('a cluster that serves needs no notice', () => {
  const view = reduce(INITIAL_VIEW, { kind: 'snapshot', status: sampleStatus() });
  assert.deepEqual(noticesOf(view, 0), []);
});

test('first that the picture is old, then why the cluster does not serve', () => {
  const seen = reduce(INITIAL_VIEW, { kind: 'snapshot', status: sampleDeploying() });
  const gone = reduce(seen, { kind: 'gone', trouble: 'connection\u001b[2J refused', at: 1_000 });
  const notices = noticesOf(gone, 13_000);
  assert.deepEqual(
    notices.map(({ kind }) => kind),
    ['gone', 'reason'],
  );
  assert.match(notices[0]?.text ?? '', /^✗ no news for 12 s: connection refused \(this picture is old/);
  assert.equal(notices[1]?.text, '! stage 2 of 3 loads its weights');
});
