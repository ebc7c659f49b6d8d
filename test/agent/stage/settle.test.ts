import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeSettle } from '../../../agent/stage/settle.ts';

test('dropped KV is collected at once, grown KV within some steps, anything else by minor collections', async () => {
  let kvBytes = 0;
  const log: string[] = [];
  const settle = makeSettle(
    () => kvBytes,
    (options) => log.push(options?.type ?? 'major'),
  );
  const steps = async (count: number) => {
    log.length = 0;
    for (let i = 0; i < count; i++) await settle();
    return log.filter((type) => type === 'major').length;
  };
  assert.equal(await steps(200), 0, 'nothing grew');
  kvBytes = 100;
  assert.equal(await steps(100), 1, 'an old buffer is garbage');
  assert.equal(await steps(200), 0, 'it grew no more');
  kvBytes = 50;
  assert.equal(await steps(1), 1, 'a session was dropped');
});
