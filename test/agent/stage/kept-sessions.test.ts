import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KeptSessions } from '../../../agent/stage/kept-sessions.ts';

function keeping(...sessions: number[][]): KeptSessions {
  const kept = new KeptSessions();
  for (const [i, tokens] of sessions.entries()) kept.keep({ id: i + 1, tokens });
  return kept;
}

test('the longest common beginning wins, the most recent of equals', () => {
  const kept = keeping([1, 2, 3, 4], [1, 2, 3, 9, 9], [1, 2, 3, 7]);
  assert.deepEqual(kept.match([1, 2, 3, 4, 5], 1), { session: { id: 1, tokens: [1, 2, 3, 4] }, length: 4 });
  assert.equal(kept.match([1, 2, 3, 5], 1)?.session.id, 3);
  assert.equal(kept.match([8], 1), undefined);
  assert.equal(kept.match([1, 2, 5], 3), undefined);
});

test('the last token of a prompt is never taken from KV: its logits must be computed', () => {
  assert.equal(keeping([1, 2, 3]).match([1, 2, 3], 1)?.length, 2);
  assert.equal(keeping([1]).match([1], 1), undefined);
});

test('the least recently used goes first, and the count of tokens follows', () => {
  const kept = keeping([1, 2], [3, 4, 5], [6]);
  assert.equal(kept.tokens, 6);
  kept.touch(1);
  assert.equal(kept.evict()?.id, 2);
  assert.equal(kept.tokens, 3);
  kept.remove(3);
  assert.equal(kept.evict()?.id, 1);
  assert.equal(kept.evict(), undefined);
  assert.deepEqual([kept.tokens, kept.count], [0, 0]);
});
