// The KV buffers of one attention module, on real tensors: what is written is read back, sessions do not mix, and
// memory is what the blocks say.
import '../../support/one-blas-thread.ts';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KvCache } from '../../../agent/engine/kv-cache.ts';
import { mx, type Tensor } from '../../../agent/engine/mlx.ts';
import type { Row } from '../../../agent/engine/step.ts';
import { KV_BLOCK_TOKENS } from '../../../protocol/limits.ts';

const BLOCK = KV_BLOCK_TOKENS;
/** Bytes of a token: one head of one number in the first buffer, two heads of two in the second, float32. */
const TOKEN_BYTES = 4 * (1 + 4);

const row = (session: number, position: number, count: number): Row => ({
  session,
  position,
  count,
  sample: false,
});

/** What a token's two entries are made of: `first` [1, 1, count, 1], `second` [1, 2, count, 2]. */
function values(numbers: readonly number[]): [Tensor, Tensor] {
  const column = mx.array(numbers, mx.float32).reshape(1, 1, numbers.length, 1);
  const factors = mx.array([2, 3, 4, 5], mx.float32).reshape(1, 2, 1, 2);
  return [column, mx.multiply(column, factors)];
}

const range = (begin: number, end: number) => Array.from({ length: end - begin }, (_, i) => begin + i);

/** Writes numbers into a session. @returns all that it has after that */
function write(cache: KvCache, session: number, position: number, numbers: readonly number[]): number[] {
  const [first, second] = cache.append(row(session, position, numbers.length), values(numbers));
  const end = position + numbers.length;
  assert.deepEqual(
    [first.shape, second.shape],
    [
      [1, 1, end, 1],
      [1, 2, end, 2],
    ],
  );
  mx.eval(first, second, cache.written([row(session, position, numbers.length)]));
  const all = first.flatten().tolist() as number[];
  const fifths = second.index('...', mx.Slice(0, end), mx.Slice(1, 2)).flatten().tolist() as number[];
  assert.deepEqual(fifths, [...all.map((value) => 3 * value), ...all.map((value) => 5 * value)]);
  return all;
}

test('tokens are read back in order, over the ends of blocks', () => {
  const cache = new KvCache();
  write(cache, 1, 0, range(1, BLOCK));
  assert.equal(cache.byteLength, BLOCK * TOKEN_BYTES);
  write(cache, 1, BLOCK - 1, [BLOCK]);
  assert.equal(cache.byteLength, BLOCK * TOKEN_BYTES, 'a block is used up to its end');
  assert.deepEqual(write(cache, 1, BLOCK, range(BLOCK + 1, 3 * BLOCK)), range(1, 3 * BLOCK));
  assert.equal(cache.byteLength, 3 * BLOCK * TOKEN_BYTES);
});

test('sessions know nothing of each other, and a dropped one leaves nothing', () => {
  const cache = new KvCache();
  write(cache, 1, 0, [1, 2, 3]);
  write(cache, 2, 0, [7]);
  assert.deepEqual(write(cache, 1, 3, [4]), [1, 2, 3, 4]);
  assert.deepEqual(write(cache, 2, 1, [8]), [7, 8]);
  cache.drop(1);
  assert.equal(cache.byteLength, BLOCK * TOKEN_BYTES);
  assert.deepEqual(cache.written([row(1, 0, 1)]), []);
  assert.deepEqual(write(cache, 1, 0, [9]), [9], 'it begins anew');
});

test('a copy and its source go on apart', () => {
  const cache = new KvCache();
  write(cache, 1, 0, range(0, 300));
  mx.eval(cache.adopt(2, { session: 1, length: BLOCK, take: false }));
  assert.deepEqual(write(cache, 2, BLOCK, [-5]), [...range(0, BLOCK), -5]);
  assert.deepEqual(write(cache, 1, 300, [300]), range(0, 301));
});

test('what is taken whole moves without a copy, what is taken in part is as small as its tokens', () => {
  const cache = new KvCache();
  write(cache, 1, 0, range(0, 600));
  assert.deepEqual(cache.adopt(2, { session: 1, length: 600, take: true }), [], 'nothing is to be computed');
  assert.equal(cache.byteLength, 3 * BLOCK * TOKEN_BYTES);
  mx.eval(cache.adopt(3, { session: 2, length: 100, take: true }));
  assert.equal(cache.byteLength, BLOCK * TOKEN_BYTES);
  assert.deepEqual(write(cache, 3, 100, [-1]), [...range(0, 100), -1]);
  assert.throws(() => cache.adopt(4, { session: 1, length: 1, take: false }), {
    name: 'RangeError',
    message: 'session 1 has no KV',
  });
});

test('a trimmed session forgets its end, or all of it', () => {
  const cache = new KvCache();
  write(cache, 1, 0, range(0, 300));
  mx.eval(cache.trim(1, 50));
  assert.equal(cache.byteLength, BLOCK * TOKEN_BYTES);
  assert.deepEqual(write(cache, 1, 50, [-1, -2]), [...range(0, 50), -1, -2]);
  cache.trim(1, 0);
  assert.equal(cache.byteLength, 0);
  cache.trim(1, 0);
  assert.deepEqual(write(cache, 1, 0, [3]), [3]);
});
