import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { decodeIdSet, encodeIdSet } from '../../../agent/stage/id-set.ts';
import { MAX_ID_SET_CHARS, MAX_VOCABULARY } from '../../../protocol/limits.ts';

describe('a set of token ids as text', () => {
  test('gives the ids back, ascending and each once', () => {
    for (const ids of [[], [0], [7, 8], [129_279, 3, 3, 70_000], [MAX_VOCABULARY - 1]])
      assert.deepEqual(
        decodeIdSet(encodeIdSet(ids)),
        [...new Set(ids)].sort((a, b) => a - b),
      );
  });

  test('a prompt with every token there is stays within the limit', () => {
    const all = Array.from({ length: MAX_VOCABULARY }, (_, id) => id);
    assert.equal(encodeIdSet(all).length, MAX_ID_SET_CHARS);
    assert.deepEqual(decodeIdSet(encodeIdSet(all)), all);
  });

  test('an id over the largest vocabulary is refused', () => {
    assert.throws(() => encodeIdSet([1, MAX_VOCABULARY]), /262144/);
  });

  test('text that is none gives no id that could do harm', () => {
    const ids = decodeIdSet('?'.repeat(5) + '/'.repeat(MAX_ID_SET_CHARS - 5));
    assert.ok(ids.every((id) => id < MAX_VOCABULARY));
  });
});
