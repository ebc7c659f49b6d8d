// The lengths of chunks: whole alone, short beside streams, several for each stage, and never too many scores.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ChunkLimits, chunkTokens } from '../../../agent/stage/chunk.ts';

const LIMITS: ChunkLimits = { stageCount: 1, prefillChunkTokens: 512, maxChunkScores: 1e12 };

test('alone on one stage a chunk is as long as it may be, beside streams an eighth of that', () => {
  assert.equal(chunkTokens(LIMITS, 0, 2048, true), 512);
  assert.equal(chunkTokens(LIMITS, 0, 2048, false), 64);
  assert.equal(chunkTokens(LIMITS, 0, 10, true), 10);
  assert.equal(chunkTokens({ ...LIMITS, prefillChunkTokens: 4 }, 0, 10, false), 1);
});

test('over several stages a prompt is cut so that all of them soon have work, but not into crumbs', () => {
  const two = { ...LIMITS, stageCount: 2 };
  assert.equal(chunkTokens(two, 0, 2048, true), 128);
  assert.equal(chunkTokens(two, 0, 4096, true), 256);
  assert.equal(chunkTokens(two, 0, 100_000, true), 512);
  assert.equal(chunkTokens(two, 0, 300, true), 128);
  assert.equal(chunkTokens({ ...two, stageCount: 6 }, 0, 12_288, true), 256);
});

test('the scores of a chunk never exceed what they may take, as long as one token’s do not', () => {
  const limits = { ...LIMITS, maxChunkScores: 1_000_000 };
  for (const position of [0, 1, 700, 5_000, 99_999, 900_000]) {
    const count = chunkTokens(limits, position, 1e6, true);
    assert.ok(count * (position + count) <= 1_000_000, `${count} at ${position}`);
    const more = count + 1;
    assert.ok(count === 512 || more * (position + more) > 1_000_000, `${count} at ${position} is too few`);
  }
  assert.equal(chunkTokens(limits, 2_000_000, 10, true), 1);
});
