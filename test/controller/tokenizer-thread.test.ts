import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadTokenizer } from '../../controller/tokenizer.ts';
import { TokenizerThread } from '../../controller/tokenizer-thread.ts';
import { INLINE_TOKENIZE_CHARS } from '../../protocol/limits.ts';
import { demoModelDir } from '../support/paths.ts';

const tokenizer = await loadTokenizer(demoModelDir);
const long = 'Karen has 92 shells. 你好 '.repeat(2_000);
assert.ok(long.length > INLINE_TOKENIZE_CHARS);

test('long texts get the same ids as short ones do, and other work goes on meanwhile', async (t) => {
  const thread = new TokenizerThread(demoModelDir, tokenizer);
  t.after(() => thread.close());
  let turns = 0;
  const count = setInterval(() => turns++, 1);
  const [first, second] = await Promise.all([thread.encode(long), thread.encode(`${long}.`)]);
  clearInterval(count);
  assert.deepEqual(first, tokenizer.encode(long));
  assert.deepEqual(second, tokenizer.encode(`${long}.`));
  assert.ok(turns > 0, 'the event loop stood still');
  assert.deepEqual(await thread.encode('short'), tokenizer.encode('short'));
});

test('a text whose client has gone is not encoded', async (t) => {
  const thread = new TokenizerThread(demoModelDir, tokenizer);
  t.after(() => thread.close());
  const gone = new Error('gone');
  await assert.rejects(thread.encode(long, AbortSignal.abort(gone)), gone);
  assert.equal((await thread.encode(long)).length, tokenizer.encode(long).length);
});

test('closing refuses what is being encoded and what waits', async () => {
  const thread = new TokenizerThread(demoModelDir, tokenizer);
  const texts = [thread.encode(long), thread.encode(long)];
  const refused = Promise.allSettled(texts);
  await new Promise(setImmediate);
  await thread.close();
  for (const result of await refused) {
    assert.equal(result.status, 'rejected');
    assert.equal(result.status === 'rejected' && result.reason.code, 'not_ready');
  }
});

test('a thread that cannot start is an error of the request, not of the process', async () => {
  const thread = new TokenizerThread('/nowhere/at/all', tokenizer);
  await assert.rejects(thread.encode(long), /tokenizer\.json is missing/);
  await assert.rejects(thread.encode(long), /tokenizer\.json is missing/);
});
