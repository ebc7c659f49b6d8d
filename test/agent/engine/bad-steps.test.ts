// Steps that MLX would not survive are refused before it sees them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StageChain } from '../../support/stages.ts';

test('rows and sessions that do not fit are refused, and the session goes on', async () => {
  const chain = await StageChain.load([{ start: 0, end: 12 }], undefined, 8);
  const { session, op } = chain.open();
  const row = { session, position: 0, count: 2, sample: true };
  const refused = (rows: (typeof row)[], ids: number[], message: RegExp) =>
    assert.rejects(chain.forward(rows, ids), { code: 'engine_failed', message });

  await chain.forward([row], [5, 6], [op]);
  const next = { ...row, position: 2, count: 1 };
  await refused([{ ...next, session: 99 }], [5], /session 99 is not open/);
  await refused([{ ...next, position: 3 }], [5], /is 2 tokens long, a row begins at 3/);
  await refused([next], [5, 6], /2 token ids for rows of 1/);
  await refused([next], [1024], /1024 is not in the vocabulary/);
  await refused([next], [-1], /-1 is not in the vocabulary/);
  await refused([next], [1.5], /1\.5 is not in the vocabulary/);
  await refused([{ ...next, count: 7 }], [1, 2, 3, 4, 5, 6, 7], /context of 8/);
  assert.throws(() => chain.last.apply([op]), { code: 'engine_failed', message: /open already/ });

  const [sampled] = await chain.step([next], [7]);
  assert.equal(sampled?.session, session);
});
