import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ask, fetchHistory, fulfil } from '../../dashboard/controller-calls.ts';
import { ERRORS, type EspalierError } from '../../protocol/errors.ts';
import { startApi } from '../controller/api/api-under-test.ts';
import { referenceCases } from '../support/reference.ts';

const forever = new AbortController().signal;

test('wishes are fulfilled by a real API, and the history comes', async (t) => {
  const { url } = await startApi(t);
  assert.equal(await fulfil(url, { kind: 'drain', nodeId: 'n 1', now: true }, forever), 'drain n 1 now');
  assert.equal(await fulfil(url, { kind: 'undrain', nodeId: 'n1' }, forever), 'undrain n1');
  assert.equal(await fulfil(url, { kind: 'cancel', requestId: 'r1' }, forever), 'cancel r1');
  const told = await fulfil(url, { kind: 'pair', nodeId: 'n1', code: '1234-5678' }, forever);
  assert.match(told, /^n1 is paired/);
  const short = fulfil(url, { kind: 'pair', nodeId: 'n1', code: '12' }, forever);
  // once, as the API tells it, and with the way out
  await assert.rejects(short, ({ code, message }: EspalierError) => {
    assert.equal(code, 'invalid_request');
    assert.match(message, /8 digits/);
    return message.split(ERRORS.invalid_request.solve).length === 2;
  });
  assert.deepEqual((await fetchHistory(url, forever)).tokensPerSecond, [null, 4.5]);
});

test('an answer comes in pieces, thinking and text apart', async (t) => {
  const { url, source } = await startApi(t);
  const reference = referenceCases.find(({ text }) => text.endsWith('**688**'));
  source.script = () => reference?.greedy_ids ?? [];
  let thinking = '';
  let answer = '';
  let pieces = 0;
  for await (const piece of ask(url, { model: 'demo-model', text: 'What is 616 plus 72?' }, forever)) {
    thinking += piece.thinking;
    answer += piece.answer;
    pieces += 1;
  }
  assert.match(answer, /616 \+ 72 = \*\*688\*\*/);
  assert.ok(thinking.length > 0 && pieces > 10, `${pieces} pieces`);
});

test("what the API refuses is told in the API's own words; nobody there, in plain ones", async (t) => {
  const { url } = await startApi(t);
  const unknown = ask(url, { model: 'another-model', text: 'hello' }, forever);
  await assert.rejects(unknown.next(), { message: /another-model/ });
  const nobody = fulfil('http://127.0.0.1:1', { kind: 'cancel', requestId: 'r' }, forever);
  await assert.rejects(nobody, { code: 'controller_unreachable' });
});

test('an answer that nobody wants any more ends at once', async (t) => {
  const { url, source } = await startApi(t);
  source.script = () => Array.from({ length: 1_000 }, () => 25);
  source.pace = () => new Promise((resolve) => setTimeout(resolve, 20));
  const hush = new AbortController();
  const pieces = ask(url, { model: 'demo-model', text: 'count' }, hush.signal);
  await pieces.next();
  hush.abort();
  await assert.rejects(async () => {
    for await (const _ of pieces);
  });
});
