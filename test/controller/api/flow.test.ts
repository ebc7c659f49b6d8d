// How answers flow, whatever the dialect: beats, the queue, clients that leave, models that load, answers that take long.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { Access } from '../../../controller/api/access.ts';
import { ApiKeys } from '../../../controller/trust/api-keys.ts';
import { EspalierError } from '../../../protocol/errors.ts';
import { tempHome } from '../../support/temp-home.ts';
import { aborted } from '../scripted-source.ts';
import { type Answer, type Failure, SUM_ANSWER, startApi, sum, until } from './api-under-test.ts';

const { messages } = sum;
const model = 'demo-model';

/** Each route with a body, and what a beat looks like. */
const ROUTES: readonly [path: string, body: object, beats: RegExp][] = [
  ['/v1/chat/completions', { messages }, /^: beat\n\n: beat\n\n/],
  ['/v1/completions', { prompt: 'hi' }, /^: beat\n\n: beat\n\n/],
  [
    '/v1/messages',
    { messages },
    /^event: message_start\n.*\n\n(event: ping\ndata: \{"type":"ping"\}\n\n){3}/,
  ],
  [
    '/v1/responses',
    { input: messages },
    /^event: response\.created\n.*\n\n(event: response\.in_progress\n.*\n\n){3}/,
  ],
  [
    '/api/chat',
    { model, messages },
    /^(\{.*"message":\{"role":"assistant","content":""\},"done":false\}\n){2}/,
  ],
  ['/api/generate', { model, prompt: 'hi' }, /^(\{.*"response":"","done":false\}\n){2}/],
];

for (const [path, body, beats] of ROUTES) {
  test(`${path}: beats in its own form fill the silence`, async (t) => {
    const api = await startApi(t, { beatMs: 5 });
    const first = Promise.withResolvers<void>();
    api.source.script = () => sum.greedy_ids;
    api.source.pace = () => first.promise;
    const response = await api.post({ ...body, stream: true }, {}, path);
    let text = '';
    for await (const piece of (response.body as ReadableStream).pipeThrough(new TextDecoderStream())) {
      text += piece;
      if (beats.test(text)) first.resolve();
    }
    assert.match(text, beats);
  });

  test(`${path}: a client that leaves ends its generation, streaming and not`, async (t) => {
    const api = await startApi(t);
    api.source.script = () => sum.greedy_ids;
    for (const stream of [true, false]) {
      const { given, ended } = api.source;
      const controller = new AbortController();
      api.source.pace = async (index, signal) => {
        if (index < 5) return setImmediate();
        controller.abort();
        await aborted(signal);
      };
      const headers = { 'content-type': 'application/json' };
      const asked = fetch(api.url + path, {
        method: 'POST',
        headers,
        body: JSON.stringify({ ...body, stream }),
        signal: controller.signal,
      });
      await assert.rejects(asked.then((response) => response.text()));
      await until(() => api.source.ended === ended + 1);
      assert.equal(api.source.given, given + 5, 'not a token more');
    }
  });

  test(`${path}: an error amid a stream is its last word, in the form of the dialect`, async (t) => {
    const api = await startApi(t);
    api.source.script = () => sum.greedy_ids;
    api.source.pace = async (index) => {
      if (index === 8) throw new EspalierError('stage_lost', 'studio-2 was lost');
      await setImmediate();
    };
    const text = await (await api.post({ ...body, stream: true }, {}, path)).text();
    const last = text.trimEnd().split('\n').at(-1) ?? '';
    assert.match(
      JSON.stringify(JSON.parse(last.replace(/^data: /, ''))),
      /studio-2 was lost\. Send the request again/,
    );
    assert.ok(
      !text.includes('[DONE]') && !text.includes('message_stop') && !text.includes('response.completed'),
    );
  });

  test(`${path}: a full queue is 429 with Retry-After`, async (t) => {
    const api = await startApi(t);
    api.source.refusal = new EspalierError('queue_full', 'too many');
    for (const stream of [true, false]) {
      const response = await api.post({ ...body, stream }, {}, path);
      assert.equal(response.status, 429);
      assert.ok(Number(response.headers.get('retry-after')) > 0);
      assert.match(await response.text(), /too many\. Try again/);
    }
  });
}

test('who waits for a session is told how many come first; background jobs come last', async (t) => {
  const api = await startApi(t, { beatMs: 5, maxSessions: 1 });
  const go = Promise.withResolvers<void>();
  api.source.script = () => sum.greedy_ids;
  api.source.pace = () => go.promise;
  const job = [{ role: 'user', content: '### Task:\nGenerate 1-3 broad tags' }];
  const bodies = [messages, messages, job, messages].map((asked) => ({
    messages: asked,
    stream: true,
    max_tokens: 2,
  }));
  const responses = [];
  for (const body of bodies) responses.push(await api.post(body));
  const readers = responses.map(({ body }) => (body as ReadableStream).pipeThrough(new TextDecoderStream()));
  const told = new Set<number>();
  const texts = await Promise.all(
    readers.map(async (reader, index) => {
      let text = '';
      for await (const piece of reader) {
        text += piece;
        // the first beats may have been written before the others came
        if (text.includes(['beat\n', 'never', '2 ahead', '1 ahead'][index] as string)) told.add(index);
        if (told.size === 3) go.resolve();
      }
      return text;
    }),
  );
  assert.match(texts[0] ?? '', /^(: beat\n\n)+data/);
  assert.match(texts[2] ?? '', /: beat, 2 ahead in the queue\n/);
  assert.match(texts[3] ?? '', /: beat, 1 ahead in the queue\n/);
});

test('while the stages load a request waits a little, and is answered when they are there', async (t) => {
  const api = await startApi(t, { holdMs: 60_000 });
  api.setState('deploying', '1 of 3 stages have loaded');
  const asked = api.ask<Answer>({ messages });
  await new Promise((resolve) => setTimeout(resolve, 60));
  assert.equal(api.source.requests.length, 0);
  api.setState('serving', null);
  assert.equal((await asked).choices[0].message.content, SUM_ANSWER);
});

test('a load that takes longer is 503 with its progress', async (t) => {
  const api = await startApi(t, { holdMs: 1 });
  api.setState('deploying', '1 of 3 stages have loaded');
  const response = await api.post({ messages });
  assert.equal(response.status, 503);
  assert.ok(Number(response.headers.get('retry-after')) > 0);
  assert.match(((await response.json()) as Failure).error.message, /1 of 3 stages have loaded/);
});

test('a whole answer that takes long sends its headers, then white space, and is right', async (t) => {
  const api = await startApi(t, { beatMs: 5 });
  const first = Promise.withResolvers<void>();
  api.source.pace = () => first.promise;
  const response = await api.post({ messages });
  assert.equal(response.status, 200, 'the headers came before the answer did');
  first.resolve();
  const text = await response.text();
  assert.match(text, /^ +\{/);
  assert.equal((JSON.parse(text) as Answer).choices[0].message.content, SUM_ANSWER);
});

test('a whole answer that fails after its headers is cut off, not half an answer', async (t) => {
  const api = await startApi(t, { beatMs: 5 });
  const first = Promise.withResolvers<void>();
  api.source.pace = () => first.promise;
  const response = await api.post({ messages });
  first.reject(new EspalierError('stage_lost', 'studio-2 was lost'));
  await assert.rejects(response.text());
});

test('several choices have seeds of their own, and the first failure ends all', async (t) => {
  const api = await startApi(t);
  const { choices } = (await api.ask({ messages, n: 3, seed: 5, max_tokens: 4 })) as {
    choices: { index: number }[];
  };
  assert.deepEqual(
    choices.map(({ index }) => index),
    [0, 1, 2],
  );
  assert.deepEqual(api.source.requests.map(({ sampling }) => sampling.seed).sort(), [5, 6, 7]);
  let calls = 0;
  api.source.pace = async (_, signal) => {
    if (++calls === 5) throw new EspalierError('stage_lost', 'gone');
    if (calls > 5) await aborted(signal);
    await setImmediate();
  };
  const failed = await api.post({ messages, n: 3 });
  assert.equal(failed.status, 503);
  await until(() => api.source.ended === 6);
});

test('what the operator pins holds against what the client asks for', async (t) => {
  const api = await startApi(t, { pins: { temperature: 0.25, topK: 7 } });
  await api.ask({ messages, temperature: 2, max_tokens: 1 });
  const [asked] = api.source.requests;
  assert.equal(asked?.sampling.temperature, 0.25);
  assert.equal(asked?.sampling.topK, 7);
});

test('how reasoning is shown may be set for a key; what the request says comes first', async (t) => {
  const keys = new ApiKeys(tempHome());
  const tavern = keys.create('sillytavern', { isAdmin: false, thinking: 'inline' });
  const access = new Access({ host: '127.0.0.1', secret: 's'.repeat(43), keys, allowOrigins: [] });
  const api = await startApi(t, { access });
  const content = async (fields: object, headers: Record<string, string>): Promise<string> => {
    const response = await api.post({ messages, ...fields }, headers);
    return ((await response.json()) as Answer).choices[0].message.content;
  };
  assert.equal(await content({}, {}), SUM_ANSWER);
  assert.match(await content({}, { 'x-api-key': tavern }), /^<think>\n.*\n<\/think>\n\n616/s);
  assert.match(await content({}, { 'api-key': tavern }), /^<think>/);
  assert.equal(await content({}, { 'x-api-key': 'another' }), SUM_ANSWER);
  assert.equal(await content({ reasoning_format: 'parsed' }, { 'x-api-key': tavern }), SUM_ANSWER);
});

test('metrics count what happened, in names that Prometheus reads', async (t) => {
  const api = await startApi(t);
  await api.ask({ messages });
  await api.ask({ messages, model: 'gpt-4' });
  const text = await (await fetch(`${api.url}/metrics`)).text();
  for (const line of [
    'espalier_requests_total{dialect="openai-chat",lane="conversation",outcome="stop"} 1',
    'espalier_refusals_total{code="model_not_found"} 1',
    `espalier_prompt_tokens_total{dialect="openai-chat",lane="conversation"} ${sum.prompt_ids.length}`,
    `espalier_generated_tokens_total{dialect="openai-chat",lane="conversation"} ${sum.greedy_ids.length}`,
    'espalier_time_to_first_token_seconds_count{dialect="openai-chat",lane="conversation"} 1',
    'espalier_serving 1',
  ]) {
    assert.ok(text.includes(`${line}\n`), `${line} is missing in\n${text}`);
  }
});

test('the document describes every route, with the fields of its body', async (t) => {
  const api = await startApi(t);
  const { openapi, paths } = (await (await fetch(`${api.url}/openapi.json`)).json()) as {
    openapi: string;
    paths: Record<
      string,
      Record<
        string,
        { summary: string; requestBody?: { content: Record<string, { schema: { properties: object } }> } }
      >
    >;
  };
  assert.match(openapi, /^3\.1/);
  for (const [path] of ROUTES) {
    const schema = paths[path]?.post?.requestBody?.content['application/json']?.schema;
    assert.ok(Object.keys(schema?.properties ?? {}).length > 5, path);
  }
  const front = await (await fetch(api.url)).text();
  for (const [path, methods] of Object.entries(paths)) {
    assert.ok(front.includes(path.replace('{id}', 'ID')), path);
    for (const { summary } of Object.values(methods)) assert.notEqual(summary, '', path);
  }
});

test('a stream says as a comment what its cluster recovers from, and its text is whole', async (t) => {
  const { source, post, setState } = await startApi(t);
  source.notice = (index) => (index === 2 ? 'studio-2 is lost:\n\nevil' : undefined);
  setState('recovering', 'studio-2 is lost');
  const text = await (await post({ messages, stream: true })).text();
  assert.match(text, /^: studio-2 is lost: evil\n\ndata: /m);
  const pieces = [...text.matchAll(/^data: (\{.*\})$/gm)].map(([, json]) => JSON.parse(json ?? ''));
  const answer = pieces.map(({ choices }) => choices[0]?.delta.content ?? '').join('');
  assert.equal(answer, SUM_ANSWER);
});
