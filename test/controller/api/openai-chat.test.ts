import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import OpenAI from 'openai';
import { EspalierError } from '../../../protocol/errors.ts';
import { referenceCases } from '../../support/reference.ts';
import { aborted } from '../scripted-source.ts';
import {
  type Answer,
  type ApiUnderTest,
  type Failure,
  rawConnection,
  readUntil,
  SUM_ANSWER,
  SUM_REASONING,
  startApi,
  sum,
  until,
} from './api-under-test.ts';

type Chunk = OpenAI.ChatCompletionChunk;
type Delta = Chunk['choices'][number]['delta'] & { reasoning_content?: string };

function clientOf({ url }: ApiUnderTest): OpenAI {
  return new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none', maxRetries: 0 });
}

function deltaOf(chunk: Chunk): Delta {
  return chunk.choices[0]?.delta ?? {};
}

const USAGE = {
  prompt_tokens: sum.prompt_ids.length,
  prompt_tokens_details: { cached_tokens: 0 },
  completion_tokens: sum.greedy_ids.length,
  completion_tokens_details: { reasoning_tokens: 68 },
  total_tokens: sum.prompt_ids.length + sum.greedy_ids.length,
};

test('the openai client gets a whole answer, its reasoning apart', async (t) => {
  const api = await startApi(t);
  const answer = await clientOf(api).chat.completions.create({ model: 'demo-model', messages: sum.messages });
  const [choice] = answer.choices;
  assert.equal(choice?.message.content, SUM_ANSWER);
  const message: (OpenAI.ChatCompletionMessage & { reasoning_content?: string }) | undefined =
    choice?.message;
  assert.equal(message?.reasoning_content, SUM_REASONING);
  assert.equal(choice?.message.role, 'assistant');
  assert.equal(choice?.finish_reason, 'stop');
  assert.equal(answer.object, 'chat.completion');
  assert.equal(answer.model, 'demo-model');
  assert.deepEqual(answer.usage, USAGE);
});

test('the openai client gets a stream: role, reasoning, content, finish, usage', async (t) => {
  const api = await startApi(t);
  const stream = await clientOf(api).chat.completions.create({
    model: 'demo-model',
    messages: sum.messages,
    stream: true,
    stream_options: { include_usage: true },
  });
  const chunks: Chunk[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  assert.deepEqual(deltaOf(chunks[0] as Chunk), { role: 'assistant', content: '' });
  const last = chunks.at(-1);
  assert.deepEqual(last?.choices, []);
  assert.deepEqual(last?.usage, USAGE);
  const beforeLast = chunks.at(-2);
  assert.equal(beforeLast?.choices[0]?.finish_reason, 'stop');
  assert.deepEqual(beforeLast?.choices[0]?.delta, {});
  const texts = chunks.slice(1, -2).map(deltaOf);
  assert.equal(texts.map((delta) => delta.reasoning_content ?? '').join(''), SUM_REASONING);
  assert.equal(texts.map((delta) => delta.content ?? '').join(''), SUM_ANSWER);
  const firstContent = texts.findIndex((delta) => delta.content !== undefined);
  assert.ok(texts.slice(firstContent).every((delta) => delta.reasoning_content === undefined));
  assert.equal(new Set(chunks.map(({ id }) => id)).size, 1);
  for (const chunk of chunks.slice(0, -1)) {
    assert.equal(chunk.object, 'chat.completion.chunk');
    assert.equal(chunk.usage, null);
    assert.equal(chunk.choices[0]?.index, 0);
  }
});

test('all reference conversations answer right over HTTP', async (t) => {
  const api = await startApi(t);
  const client = clientOf(api);
  await Promise.all(
    referenceCases.map(async ({ messages, text }) => {
      const request = { model: 'demo-model', messages, temperature: 0 };
      const answer = await client.chat.completions.create(request);
      assert.equal(answer.choices[0]?.message.content, text.split('</think>\n\n')[1]);
    }),
  );
});

test('the bytes of a stream: events of data lines, [DONE] last, no usage unless asked for', async (t) => {
  const api = await startApi(t);
  const response = await api.post({ messages: sum.messages, stream: true });
  assert.equal(response.status, 200);
  assert.match(response.headers.get('content-type') ?? '', /^text\/event-stream/);
  assert.equal(response.headers.get('cache-control'), 'no-cache');
  const events = (await response.text()).split('\n\n');
  assert.equal(events.pop(), '');
  assert.equal(events.pop(), 'data: [DONE]');
  for (const event of events) {
    const chunk = JSON.parse(event.replace(/^data: /, ''));
    assert.ok(!('usage' in chunk));
    assert.equal(chunk.choices.length, 1);
  }
});

test('parameters reach the generation', async (t) => {
  const api = await startApi(t);
  const sent = async (fields: object): Promise<unknown> => {
    const response = await api.post({ messages: sum.messages, ...fields });
    assert.equal(response.status, 200, await response.clone().text());
    await response.text();
    return api.source.requests.at(-1);
  };
  const asked = { temperature: 0, top_p: 0.5, seed: 7, max_tokens: 9 };
  const generation = { promptIds: sum.prompt_ids, stopIds: [1], maxTokens: 9 };
  const sampling = { temperature: 0, topP: 0.5, seed: 7 };
  assert.deepEqual(await sent(asked), { ...generation, sampling });
  assert.deepEqual(await sent({ ...asked, max_completion_tokens: 4 }), {
    ...generation,
    maxTokens: 4,
    sampling,
  });
  const negative = (await sent({ seed: -1 })) as { sampling: { seed: number } };
  assert.equal(negative.sampling.seed, Number.MAX_SAFE_INTEGER - 1);
  const nulls = {
    temperature: null,
    top_p: null,
    seed: null,
    max_tokens: null,
    stop: null,
    n: null,
    tools: null,
  };
  const unset = (await sent(nulls)) as { sampling: { temperature: number; topP: number } };
  assert.equal(unset.sampling.temperature, 0.6);
  assert.equal(unset.sampling.topP, 0.95);
});

test('what clients send beside it is taken: unknown fields, developer, text parts, earlier reasoning', async (t) => {
  const api = await startApi(t);
  const [first, second, third] = sum.messages;
  const response = await api.post({
    model: 'demo-model',
    user: 'me',
    presence_penalty: 0,
    frequency_penalty: 0,
    tools: [],
    tool_choice: 'auto',
    response_format: { type: 'text' },
    logprobs: false,
    n: 1,
    keep_alive: '5m',
    messages: [
      { role: 'user', content: [{ type: 'text', text: first?.content }] },
      { ...second, reasoning_content: 'which is dropped', name: 'x' },
      third,
    ],
  });
  assert.equal(response.status, 200);
  assert.deepEqual(api.source.requests[0]?.promptIds, sum.prompt_ids);
  await response.text();
  const asDeveloper = [{ role: 'developer', content: 'Be brief.' }, ...sum.messages];
  const asSystem = [{ role: 'system', content: 'Be brief.' }, ...sum.messages];
  await (await api.post({ messages: asDeveloper, max_tokens: 1 })).text();
  await (await api.post({ messages: asSystem, max_tokens: 1 })).text();
  assert.deepEqual(api.source.requests[1]?.promptIds, api.source.requests[2]?.promptIds);
});

test('a stop string, streaming and not', async (t) => {
  const api = await startApi(t);
  for (const stop of [' = **', ['x', ' = **']]) {
    const [choice] = (await api.ask<Answer>({ messages: sum.messages, stop })).choices;
    assert.equal(choice.message.content, '616 + 72');
    assert.equal(choice.finish_reason, 'stop');
    const streamed = await (await api.post({ messages: sum.messages, stop, stream: true })).text();
    assert.ok(!streamed.includes('688**') && streamed.endsWith('data: [DONE]\n\n'));
  }
  await until(() => api.source.ended === 4);
});

test('max_tokens ends an answer with reason length, also in the reasoning', async (t) => {
  const api = await startApi(t);
  const { choices, usage } = await api.ask<Answer>({ messages: sum.messages, max_tokens: 5 });
  assert.equal(choices[0].finish_reason, 'length');
  assert.equal(choices[0].message.content, '');
  assert.ok(SUM_REASONING.startsWith(choices[0].message.reasoning_content ?? '?'));
  assert.equal(usage.completion_tokens, 5);
});

test('the openai client leaves a stream: the generation is cancelled', async (t) => {
  const api = await startApi(t);
  api.source.pace = (index, signal) => (index < 10 ? setImmediate() : aborted(signal));
  const stream = await clientOf(api).chat.completions.create({
    model: 'demo-model',
    messages: sum.messages,
    stream: true,
  });
  let chunks = 0;
  for await (const _ of stream) if (++chunks === 4) stream.controller.abort();
  await until(() => api.source.ended === 1);
  assert.ok(api.source.given <= 10);
});

test('a client leaves while it waits for a whole answer: the generation is cancelled', async (t) => {
  const api = await startApi(t);
  const controller = new AbortController();
  api.source.pace = async (index, signal) => {
    if (index < 5) return;
    controller.abort();
    await aborted(signal);
  };
  const request = { model: 'demo-model', messages: sum.messages };
  await assert.rejects(clientOf(api).chat.completions.create(request, { signal: controller.signal }));
  await until(() => api.source.ended === 1);
});

test('the headers go out before the first token', async (t) => {
  const api = await startApi(t, { beatMs: 1_000_000 });
  const first = Promise.withResolvers<void>();
  api.source.pace = () => first.promise;
  const response = await api.post({ messages: sum.messages, stream: true });
  assert.equal(response.status, 200);
  first.resolve();
  assert.match(await response.text(), /^data: .*"role":"assistant"/);
});

test('beats fill the silence', async (t) => {
  const api = await startApi(t, { beatMs: 5 });
  const first = Promise.withResolvers<void>();
  api.source.pace = () => first.promise;
  const { body } = await api.post({ messages: sum.messages, stream: true });
  assert.ok(body);
  let text = '';
  for await (const piece of body.pipeThrough(new TextDecoderStream())) {
    text += piece;
    if (text.includes(': beat\n\n: beat\n\n')) first.resolve();
  }
  assert.match(text, /^(: beat\n\n)+data: /);
  assert.ok(text.endsWith('data: [DONE]\n\n'));
});

test('an error before the first token has its own status, streaming too', async (t) => {
  const api = await startApi(t);
  for (const stream of [true, false]) {
    api.source.refusal = new EspalierError('queue_full', '256 requests are waiting');
    const full = await api.post({ messages: sum.messages, stream });
    assert.equal(full.status, 429);
    assert.ok(Number(full.headers.get('retry-after')) > 0);
    const { error } = (await full.json()) as Failure;
    assert.equal(error.code, 'queue_full');
    assert.equal(error.type, 'rate_limit_error');
    assert.equal(error.message, '256 requests are waiting. Try again after the time in Retry-After.');
  }
});

test('an error amid a stream is its last event, without [DONE]; amid a whole answer it has a status', async (t) => {
  const api = await startApi(t);
  api.source.pace = async (index) => {
    if (index === 8) throw new EspalierError('stage_lost', 'studio-2 was lost');
    await setImmediate();
  };
  const streamed = await api.post({ messages: sum.messages, stream: true });
  assert.equal(streamed.status, 200);
  const last = (await streamed.text()).trim().split('\n\n').at(-1) ?? '';
  const { error } = JSON.parse(last.replace(/^data: /, '')) as Failure;
  assert.equal(error.code, 'stage_lost');
  assert.match(error.message, /^studio-2 was lost\. Send the request again/);
  const whole = await api.post({ messages: sum.messages });
  assert.equal(whole.status, 503);
  assert.equal(((await whole.json()) as Failure).error.code, 'stage_lost');
  await assert.rejects(
    clientOf(api).chat.completions.create({ model: 'demo-model', messages: sum.messages }),
    (failure: unknown) => failure instanceof OpenAI.InternalServerError && failure.code === 'stage_lost',
  );
});

/** Asks for a stream of 50,000 tokens on a connection that is not read. */
async function sleepingReader(t: TestContext, api: ApiUnderTest): Promise<Socket> {
  const [token] = sum.greedy_ids;
  api.source.script = () => new Array<number>(50_000).fill(token as number);
  const socket = await rawConnection(t, api.at);
  socket.pause();
  const body = JSON.stringify({ messages: sum.messages, stream: true });
  const head =
    'POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nconnection: close\r\n';
  socket.write(`${head}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
  return socket;
}

test('a reader that does not read holds the generation up and loses nothing', async (t) => {
  const api = await startApi(t);
  const socket = await sleepingReader(t, api);
  // It stands still once the buffers on the way are full: nothing more for a hundred turns.
  let given = -1;
  while (api.source.given !== given || given === 0) {
    given = api.source.given;
    for (let turn = 0; turn < 100; turn++) await new Promise((resolve) => setTimeout(resolve, 1));
  }
  assert.ok(given < 50_000, 'all tokens were taken although nobody reads');
  const text = await readUntil(socket, () => false);
  assert.equal(text.match(/"reasoning_content":/g)?.length, 50_000);
  assert.ok(text.includes('data: [DONE]\n\n'));
});

test('a reader that never reads is cut off', async (t) => {
  const api = await startApi(t, { stalledMs: 20 });
  await sleepingReader(t, api);
  await until(() => api.source.ended === 1);
  assert.ok(api.source.given < 50_000);
});

test('closing ends open streams with an error, waiting answers with a status, and new ones', async (t) => {
  const api = await startApi(t);
  api.source.pace = (index, signal) => (index < 3 ? setImmediate() : aborted(signal));
  const streamed = await api.post({ messages: sum.messages, stream: true });
  const whole = api.post({ messages: sum.messages });
  await until(() => api.source.given === 6);
  await api.api.close();
  assert.match(await streamed.text(), /"code":"not_ready"\}\}\n\n$/);
  assert.equal((await whole).status, 503);
  assert.equal(api.source.ended, 2);
  await assert.rejects(api.post({ messages: sum.messages }));
});
