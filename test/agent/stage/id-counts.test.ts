import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeIdCounts, encodeIdCounts } from '../../../agent/stage/id-counts.ts';
import { MAX_ID_COUNTS_CHARS, MAX_VOCABULARY } from '../../../protocol/limits.ts';
import { randomNumbers } from '../../support/sampling.ts';

test('counts are the same after their way through text', () => {
  const random = randomNumbers(5);
  for (const share of [0, 0.0005, 0.1, 1]) {
    const counts: [number, number][] = [];
    for (let id = 0; id < MAX_VOCABULARY; id++) {
      if (random() < share) counts.push([id, 1 + Math.floor(random() ** 9 * 200_000)]);
    }
    assert.deepEqual(decodeIdCounts(encodeIdCounts(counts)), counts);
  }
  const edges: [number, number][] = [
    [0, 1],
    [127, 128],
    [MAX_VOCABULARY - 1, 163_840],
  ];
  assert.deepEqual(decodeIdCounts(encodeIdCounts(edges)), edges);
});

test('the longest text has room in a frame', () => {
  // every id once; and an answer of 163,840 tokens in which 1,280 ids come 128 times each
  const all = Array.from({ length: MAX_VOCABULARY }, (_, id): [number, number] => [id, 1]);
  assert.ok(encodeIdCounts(all).length <= MAX_ID_COUNTS_CHARS);
  const often = all.map(([id]): [number, number] => [id, id % 128 === 0 ? 128 : 1]);
  assert.ok(encodeIdCounts(often).length <= MAX_ID_COUNTS_CHARS);
});

test('what is not ascending is refused, and text of anything else gives nothing that is not a token', () => {
  assert.throws(
    () =>
      encodeIdCounts([
        [5, 1],
        [5, 1],
      ]),
    RangeError,
  );
  assert.throws(() => encodeIdCounts([[MAX_VOCABULARY, 1]]), RangeError);
  const random = randomNumbers(9);
  for (let i = 0; i < 500; i++) {
    const bytes = Buffer.from(Array.from({ length: 40 }, () => Math.floor(random() * 256)));
    let last = -1;
    for (const [id, count] of decodeIdCounts(bytes.toString('base64'))) {
      assert.ok(id > last && id < MAX_VOCABULARY && count >= 1 && Number.isSafeInteger(count));
      last = id;
    }
  }
});
