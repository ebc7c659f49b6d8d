import assert from 'node:assert/strict';
import { test } from 'node:test';
import { promptIds, promptSource } from '../../../scripts/bench/prompt.ts';

test('a seed gives the same ids each time, all of them in the smallest vocabulary', () => {
  const ids = promptIds(3, 2_048);
  assert.deepEqual(ids, promptIds(3, 2_048));
  assert.ok(ids.every((id) => Number.isInteger(id) && id >= 0 && id < 1_024));
  assert.ok(new Set(ids).size > 800, 'they are spread over the vocabulary');
});

test('no two prompts of a source share a beginning: kept KV helps none', () => {
  const prompt = promptSource();
  const beginnings = Array.from({ length: 200 }, () => prompt(4).join());
  assert.equal(new Set(beginnings).size, beginnings.length);
  assert.deepEqual(promptSource()(4).join(), beginnings[0]);
});
