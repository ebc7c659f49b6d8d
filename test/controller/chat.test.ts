import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runChat } from '../../controller/chat.ts';
import { admitChat } from '../../controller/chat-admission.ts';
import type { AnswerOptions, ChatEvent, Conversation } from '../../controller/chat-request.ts';
import type { EspalierError } from '../../protocol/errors.ts';
import { referenceCases } from '../support/reference.ts';
import { aborted, ScriptedSource } from './scripted-source.ts';
import { collect, demoTextModel } from './support.ts';

const model = await demoTextModel;
const never = new AbortController().signal;
const sum = referenceCases.find(({ text }) => text.endsWith('**688**'));
assert.ok(sum);

async function run(
  source: ScriptedSource,
  request: Partial<Conversation & AnswerOptions> = {},
  signal = never,
): Promise<ChatEvent[]> {
  const chat = await admitChat({ messages: sum?.messages ?? [], stop: [], ...request }, model, signal);
  return collect(runChat(chat, source, signal));
}

function textOf(events: ChatEvent[], kind: 'reasoning' | 'content'): string {
  return events.map((event) => (event.kind === kind ? event.text : '')).join('');
}

test('all reference conversations, from messages to reasoning and answer', async () => {
  const source = new ScriptedSource();
  for (const { messages, prompt_ids, greedy_ids, text, expected_answer, correct } of referenceCases) {
    const events = await run(source, { messages, sampling: { temperature: 0 } });
    assert.deepEqual(source.requests.at(-1)?.promptIds, prompt_ids);
    const content = textOf(events, 'content');
    assert.equal(content, text.split('</think>\n\n')[1]);
    if (correct) assert.equal(content, expected_answer);
    assert.equal(textOf(events, 'reasoning'), text.split('\n</think>')[0]);
    const usage = { promptTokens: prompt_ids.length, cachedTokens: 0, completionTokens: greedy_ids.length };
    const last = events.at(-1);
    assert.ok(last?.kind === 'finish' && last.usage.reasoningTokens > 0);
    assert.deepEqual(last, {
      kind: 'finish',
      reason: 'stop',
      stopString: undefined,
      usage: { ...usage, reasoningTokens: last.usage.reasoningTokens },
    });
  }
});

test("what the request leaves out takes the model's defaults; a seed is drawn for each", async () => {
  const source = new ScriptedSource();
  await run(source);
  await run(source);
  const [first, second] = source.requests;
  assert.ok(first && second);
  assert.equal(first.sampling.temperature, 0.6);
  assert.equal(first.sampling.topP, 0.95);
  assert.equal(first.maxTokens, model.contextTokens - first.promptIds.length);
  assert.deepEqual(first.stopIds, [1]);
  assert.notEqual(first.sampling.seed, second.sampling.seed);
});

test('max tokens include the reasoning and are clamped to what the context has left', async () => {
  const source = new ScriptedSource();
  const events = await run(source, { maxTokens: 3 });
  assert.equal(
    textOf(events, 'reasoning') + textOf(events, 'content'),
    model.decode(sum.greedy_ids.slice(0, 3)),
  );
  const last = events.at(-1);
  assert.ok(last?.kind === 'finish' && last.reason === 'length' && last.usage.completionTokens === 3);
  await run(source, { maxTokens: 1e9 });
  assert.equal(source.requests.at(-1)?.maxTokens, model.contextTokens - sum.prompt_ids.length);
});

test('a conversation that fills the context is refused with both numbers', async () => {
  const small = { ...model, contextTokens: sum.prompt_ids.length };
  await assert.rejects(
    admitChat({ messages: sum.messages, stop: [] }, small, never),
    (error: EspalierError) =>
      error.code === 'context_length_exceeded' && error.message.match(/\b40\b.*\b40\b/) !== null,
  );
  const enough = { ...model, contextTokens: sum.prompt_ids.length + 1 };
  const chat = await admitChat({ messages: sum.messages, stop: [] }, enough, never);
  assert.equal(chat.generation.maxTokens, 1);
});

test('a stop string ends the answer, is not shown, and cancels the generation', async () => {
  const source = new ScriptedSource();
  const events = await run(source, { stop: ['= **', 'never'] });
  assert.equal(textOf(events, 'content'), '616 + 72 ');
  const last = events.at(-1);
  assert.ok(last?.kind === 'finish' && last.reason === 'stop');
  assert.ok(source.given < sum.greedy_ids.length);
  assert.equal(source.ended, 1);
  assert.equal(textOf(await run(source, { stop: ['**688*', '**688**!'] }), 'content'), '616 + 72 = ');
  assert.equal(textOf(await run(source, { stop: ['688** '] }), 'content'), '616 + 72 = **688**');
});

test('stop strings do not cut the reasoning', async () => {
  const events = await run(new ScriptedSource(), { stop: ['So'] });
  assert.match(textOf(events, 'reasoning'), /So 688\.$/);
  assert.equal(textOf(events, 'content'), '616 + 72 = **688**');
});

test('an aborted signal ends the chat with its reason and the generation with it', async () => {
  const source = new ScriptedSource();
  const controller = new AbortController();
  const reason = new Error('the client left');
  source.pace = async (index, signal) => {
    if (index < 5) return;
    queueMicrotask(() => controller.abort(reason));
    await aborted(signal);
  };
  await assert.rejects(run(source, {}, controller.signal), reason);
  assert.equal(source.ended, 1);
  assert.equal(source.given, 5);
});

test("the source's errors pass through, and tokens without a finish are one", async () => {
  const source = new ScriptedSource();
  source.pace = async (index) => {
    if (index === 2) throw new Error('a stage was lost');
  };
  await assert.rejects(run(source), /a stage was lost/);
  const chat = await admitChat({ messages: sum.messages, stop: [] }, model, never);
  const cut = { generate: async function* () {} };
  await assert.rejects(collect(runChat(chat, cut, never)), { code: 'engine_failed' });
});
