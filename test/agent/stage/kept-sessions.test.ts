// Which sessions are kept, and which one goes first.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { commonLength, KeptSessions } from '../../../agent/stage/kept-sessions.ts';

const ids = (kept: KeptSessions) => [...kept.all()].map(({ id }) => id);

test('the least recently used session goes first', () => {
  const kept = new KeptSessions();
  for (const id of [1, 2, 3]) kept.keep({ id, tokens: [id, id] });
  kept.touch(1);
  assert.deepEqual(
    [kept.evict()?.id, kept.evict()?.id, kept.evict()?.id, kept.evict()],
    [2, 3, 1, undefined],
  );
});

test('a session that goes on from a kept one replaces it', () => {
  const kept = new KeptSessions();
  kept.keep({ id: 1, tokens: [5, 6] });
  kept.keep({ id: 2, tokens: [5, 7] });
  assert.deepEqual(kept.keep({ id: 3, tokens: [5, 6, 8] }), [1]);
  assert.deepEqual(ids(kept), [2, 3]);
});

test('a session of which another one holds everything is not kept, but counts as a use of that one', () => {
  const kept = new KeptSessions();
  kept.keep({ id: 1, tokens: [5, 6, 8] });
  kept.keep({ id: 2, tokens: [9] });
  assert.deepEqual(kept.keep({ id: 3, tokens: [5, 6] }), [3]);
  assert.deepEqual(kept.keep({ id: 4, tokens: [5, 6, 8] }), [4]);
  assert.deepEqual(ids(kept), [2, 1]);
});

test('common tokens end at the first difference or with the shorter list', () => {
  assert.equal(commonLength([1, 2, 3], [1, 2, 4]), 2);
  assert.equal(commonLength([1, 2], [1, 2, 4]), 2);
  assert.equal(commonLength([], [1]), 0);
});
