import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inLane, isBackgroundJob } from '../../../controller/api/background.ts';

const user = (content: string) => ({ role: 'user' as const, content });

test("conversations are not taken for a client's own jobs", () => {
  for (const messages of [
    [user('Generate a title for my book about whales.')],
    [user('What does "### Task:" mean?')],
    [user('hi'), { role: 'assistant' as const, content: 'hello' }, user('### Task:\nGenerate a title')],
    [user('Summarize this conversation.')],
  ]) {
    assert.equal(isBackgroundJob(messages), false, JSON.stringify(messages));
  }
});

test('a job does not think unless it is asked to, and flex is background with thinking', () => {
  const job = { messages: [user('### Task:\nGenerate 1-3 broad tags')] };
  assert.deepEqual(inLane(job), { ...job, isBackground: true, thinking: false });
  assert.equal(inLane({ ...job, thinking: true }).thinking, true);
  const chat = { messages: [user('hi')] };
  assert.deepEqual(inLane(chat, 'flex'), { ...chat, isBackground: true, thinking: undefined });
  assert.equal(inLane(chat, 'auto').isBackground, false);
});
