// Tokens are counted in whole blocks, and never more than there are.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KvLedger } from '../../../agent/stage/kv-ledger.ts';
import { KV_BLOCK_TOKENS } from '../../../protocol/limits.ts';

const BLOCK = KV_BLOCK_TOKENS;

test('a session holds whole blocks, and grows only where they are free', () => {
  const ledger = new KvLedger(3 * BLOCK);
  assert.ok(ledger.reserve(1, 1));
  assert.equal(ledger.of(1), BLOCK);
  assert.ok(ledger.reserve(1, BLOCK), 'what it holds already is enough');
  assert.ok(ledger.reserve(2, BLOCK + 1));
  assert.equal(ledger.freeTokens, 0);
  assert.ok(!ledger.reserve(1, BLOCK + 1));
  assert.equal(ledger.of(1), BLOCK, 'nothing changed');
  ledger.shrink(2, BLOCK);
  assert.ok(ledger.reserve(1, BLOCK + 1));
});

test('less than a block at the end is of no use', () => {
  assert.equal(new KvLedger(2 * BLOCK + 5).capacityTokens, 2 * BLOCK);
  assert.equal(new KvLedger(BLOCK - 1).capacityTokens, 0);
});

test('what one session held can become another one’s, and what is released is free', () => {
  const ledger = new KvLedger(4 * BLOCK);
  ledger.reserve(1, 2 * BLOCK);
  ledger.move(1, 2);
  assert.deepEqual([ledger.of(1), ledger.of(2), ledger.freeTokens], [0, 2 * BLOCK, 2 * BLOCK]);
  ledger.release(2);
  ledger.release(2);
  assert.equal(ledger.freeTokens, 4 * BLOCK);
});
