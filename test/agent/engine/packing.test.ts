// Repacking of 3 and 6 bits: every number stays what it was.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mx, type Tensor } from '../../../agent/engine/mlx.ts';
import { repack } from '../../../agent/engine/packing.ts';
import { settle } from '../../support/stages.ts';

/** Any words, all 32 bits of them used; node-mlx takes only numbers that float32 holds, so from two halves. */
function packedWords(rows: number, words: number): Tensor {
  const half = (seed: number) =>
    mx.array(
      Array.from({ length: rows }, (_, row) =>
        Array.from({ length: words }, (_, word) => ((row * words + word + seed) * 40503) % 65536),
      ),
      mx.uint32,
    );
  return mx.bitwiseOr(mx.leftShift(half(7), mx.array(16, mx.uint32)), half(1000));
}

/** The numbers of a row of words, from the lowest bit on. */
function numbers(words: number[], bits: number): number[] {
  const all = words.reduce((sum, word, i) => sum | (BigInt(word) << BigInt(32 * i)), 0n);
  const mask = (1n << BigInt(bits)) - 1n;
  return Array.from({ length: (words.length * 32) / bits }, (_, i) =>
    Number((all >> BigInt(i * bits)) & mask),
  );
}

for (const [bits, becomes] of [
  [3, 4],
  [6, 8],
] as const) {
  test(`numbers of ${bits} bits are the same in ${becomes}`, async () => {
    const packed = packedWords(5, 24);
    const repacked = await repack(packed.reshape(5, 2, 12), bits, settle);
    assert.deepEqual(repacked.shape, [5, 2, 16]);
    assert.equal(repacked.dtype, mx.uint32);
    const before = packed.reshape(10, 12).tolist() as number[][];
    const after = repacked.reshape(10, 16).tolist() as number[][];
    for (const [row, words] of before.entries())
      assert.deepEqual(numbers(after[row] as number[], becomes), numbers(words, bits));
  });
}

test('a weight too large for one go is repacked in parts, in order', async () => {
  const words = 3 << 19;
  const row = mx.broadcastTo(packedWords(1, 3).reshape(1, 1, 3), [6, words / 3, 3]).reshape(6, words);
  const numbered = mx.add(row, mx.arange(6, mx.uint32).reshape(6, 1));
  const whole = await repack(numbered, 3, settle);
  assert.deepEqual(whole.shape, [6, (words / 3) * 4]);
  for (let i = 0; i < 6; i++) {
    const alone = await repack(numbered.index(mx.Slice(i, i + 1)), 3, settle);
    const same = mx.equal(whole.index(mx.Slice(i, i + 1)), alone).astype(mx.int32);
    assert.equal(same.min(-1).item(), 1);
  }
});

test('other bits are left as they are', async () => {
  const packed = packedWords(2, 8);
  for (const bits of [2, 4, 8]) assert.equal(await repack(packed, bits, settle), packed);
});
