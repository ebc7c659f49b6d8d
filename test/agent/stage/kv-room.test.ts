// The decisions about KV that the scheduler's transcripts (scheduler-kv.test.ts) do not reach: ties, refusals that must
// change nothing, and the limit on what is kept.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { OneSessionOp } from '../../../agent/engine/step.ts';
import { KvRoom } from '../../../agent/stage/kv-room.ts';
import { KV_BLOCK_TOKENS } from '../../../protocol/limits.ts';

const BLOCK = KV_BLOCK_TOKENS;
const NOBODY: { id: number; tokens: number[] }[] = [];

/** `count` tokens of a text of its own. */
const text = (seed: number, count: number) => Array.from({ length: count }, (_, i) => seed * 10_000 + i);

function makeRoom(blocks: number, maxKept = 8): { room: KvRoom; told: () => string[] } {
  const ops: OneSessionOp[] = [];
  const room = new KvRoom(blocks * BLOCK, maxKept, (op) => ops.push(op));
  return { room, told: () => ops.splice(0).map(({ op, session }) => `${op} ${session}`) };
}

/** Opens a session with these tokens and ends it at once. */
function keep(room: KvRoom, id: number, tokens: number[]): void {
  assert.ok(room.open(id, tokens, NOBODY));
  room.end(id, tokens, tokens.length);
}

describe('a new prompt', () => {
  test('begins with the longest of all beginnings, and of equal ones with a kept one', () => {
    const { room } = makeRoom(20);
    keep(room, 1, [...text(1, 40), 7]);
    keep(room, 2, [...text(1, 60), 8]);
    const prompt = [...text(1, 80), 9];
    const live = (length: number) => [{ id: 3, tokens: text(1, length) }];
    assert.deepEqual(room.open(4, prompt, live(50))?.from, { session: 2, length: 60, take: false });
    assert.deepEqual(room.open(5, prompt, live(60))?.from, { session: 2, length: 60, take: false });
    assert.deepEqual(room.open(6, prompt, live(61))?.from, { session: 3, length: 61, take: false });
  });

  test('that finds no room changes nothing, not even for what could be given up', () => {
    const { room, told } = makeRoom(4);
    assert.ok(room.open(1, text(1, 3 * BLOCK - 1), NOBODY));
    keep(room, 2, text(2, 100));
    const before = room.use;
    told();
    assert.equal(room.open(3, text(3, BLOCK), NOBODY), undefined);
    assert.equal(room.open(3, text(2, BLOCK), NOBODY), undefined, 'nor where it could take something over');
    assert.deepEqual([room.use, told()], [before, []]);
    assert.deepEqual(room.open(3, text(2, BLOCK - 1), NOBODY)?.from, { session: 2, length: 100, take: true });
  });

  test('that copies from a kept session never gives up that one for its own room', () => {
    const { room, told } = makeRoom(3);
    keep(room, 1, text(1, 100));
    keep(room, 2, text(2, 100));
    told();
    assert.deepEqual(room.open(3, [...text(1, 50), ...text(3, 300)], NOBODY)?.from, {
      session: 1,
      length: 50,
      take: false,
    });
    assert.deepEqual(told(), ['drop 2']);
  });
});

describe('what is kept', () => {
  test('is no more than so many sessions, least recently used first', () => {
    const { room, told } = makeRoom(20, 2);
    for (const id of [1, 2, 3]) keep(room, id, text(id, 20));
    assert.deepEqual(told(), ['keep 1', 'keep 2', 'keep 3', 'drop 1']);
    assert.equal(room.use.keptTokens, 2 * BLOCK);
  });

  test('is nothing of a few tokens, which no prompt would begin with', () => {
    const { room, told } = makeRoom(4);
    room.open(1, text(1, 100), NOBODY);
    room.end(1, text(1, 15), 100);
    assert.deepEqual(told(), ['drop 1']);
    assert.deepEqual(room.use, { totalTokens: 4 * BLOCK, liveTokens: 0, keptTokens: 0 });
  });

  test('counts with all that steps in flight still write to it', () => {
    const { room } = makeRoom(4);
    room.open(1, text(1, 3 * BLOCK - 1), NOBODY);
    room.end(1, text(1, 100), BLOCK + 1);
    assert.equal(room.use.keptTokens, 2 * BLOCK);
  });

  test('is gone once it is spoilt, and spoiling what nobody keeps is no harm', () => {
    const { room, told } = makeRoom(4);
    keep(room, 1, text(1, 100));
    room.spoil(1);
    room.spoil(1);
    assert.deepEqual(told(), ['keep 1', 'drop 1', 'drop 1']);
    assert.equal(room.use.keptTokens, 0);
    assert.equal(room.open(2, text(1, 100), NOBODY)?.from, undefined);
  });
});
