// Bodies that no client would send: whatever comes, the answer is one in the dialect's own form, and the next request is
// answered right.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pick, type Random, seeded } from '../support.ts';
import { type Answer, type ApiUnderTest, SUM_ANSWER, startApi, sum } from './api-under-test.ts';

const BODIES = 5_000;
/** Requests at once: they share the server's one thread with this one. */
const AT_ONCE = 16;

const USER = { role: 'user', content: 'hi' };
const TOOL = { type: 'function', function: { name: 'f', parameters: { type: 'object' } } };
/** A body with most fields of each route, and how its errors look. */
const ROUTES: readonly [path: string, body: Record<string, unknown>, isError: (json: Json) => boolean][] = [
  [
    '/v1/chat/completions',
    {
      ...{
        model: 'demo-model',
        messages: [USER],
        temperature: 1,
        top_p: 0.9,
        n: 1,
        stop: ['x'],
        seed: 1,
        stream: true,
      },
      ...{ logit_bias: { 5: 1 }, stream_options: { include_usage: true }, logprobs: true, top_logprobs: 2 },
      ...{
        tools: [],
        tool_choice: 'auto',
        reasoning_effort: 'low',
        max_tokens: 4,
        response_format: { type: 'text' },
      },
    },
    isOpenAiError,
  ],
  [
    '/v1/completions',
    { model: 'demo-model', prompt: ['hi'], max_tokens: 4, logprobs: 1, echo: true, stop: 'x', suffix: null },
    isOpenAiError,
  ],
  [
    '/v1/responses',
    {
      ...{ model: 'demo-model', instructions: 'x', max_output_tokens: 4, text: { format: { type: 'text' } } },
      input: [
        { role: 'user', content: [{ type: 'input_text', text: 'hi' }] },
        { type: 'reasoning', summary: [] },
      ],
      ...{ tools: [{ type: 'web_search' }], reasoning: { effort: 'low' }, stream: true, tool_choice: 'auto' },
    },
    isOpenAiError,
  ],
  [
    '/v1/messages',
    {
      ...{
        model: 'demo-model',
        max_tokens: 4,
        system: [{ type: 'text', text: 'x' }],
        stream: true,
        top_k: 3,
      },
      messages: [USER, { role: 'assistant', content: [{ type: 'text', text: 'x' }] }, USER],
      ...{ thinking: { type: 'enabled' }, stop_sequences: ['x'], tools: [], tool_choice: { type: 'auto' } },
    },
    isAnthropicError,
  ],
  ['/v1/messages/count_tokens', { model: 'demo-model', messages: [USER], system: 'x' }, isAnthropicError],
  [
    '/api/chat',
    {
      ...{ model: 'demo-model', messages: [USER], stream: false, think: true, tools: [], keep_alive: '5m' },
      options: { temperature: 1, num_predict: 4, num_ctx: 100, stop: ['x'], top_k: 4, seed: 3 },
    },
    isOllamaError,
  ],
  [
    '/api/generate',
    { model: 'demo-model', prompt: 'hi', system: 'x', raw: false, options: { num_predict: 4 }, think: false },
    isOllamaError,
  ],
  ['/api/show', { model: 'demo-model' }, isOllamaError],
];

type Json = Record<string, unknown>;

function isOpenAiError({ error }: Json): boolean {
  const { message, type, code } = Object(error) as Json;
  return [message, type, code].every((text) => typeof text === 'string');
}

function isAnthropicError({ type, error }: Json): boolean {
  const inner = Object(error) as Json;
  return type === 'error' && typeof inner.type === 'string' && typeof inner.message === 'string';
}

function isOllamaError({ error }: Json): boolean {
  return typeof error === 'string';
}

const STRANGE: readonly unknown[] = [
  ...[
    null,
    true,
    false,
    0,
    -1,
    1.5,
    1e308,
    '',
    'x',
    '\u0000',
    '😀'.repeat(50),
    '__proto__',
    [],
    {},
    [[]],
    [null],
  ],
  ...[
    [{}],
    { type: 'text' },
    { type: 'image' },
    [{ type: 'text', text: 5 }],
    'x'.repeat(5_000),
    [TOOL],
    USER,
  ],
  ...[{ role: 'tool', content: 'x' }, { role: 'assistant' }, new Array(300).fill(USER), { toString: null }],
];

/** Changes something at one to three places, however deep. */
function spoil(random: Random, body: unknown): unknown {
  let spoiled = structuredClone(body);
  for (let change = Math.floor(random() * 3); change >= 0; change--) spoiled = spoilOnce(random, spoiled);
  return spoiled;
}

function spoilOnce(random: Random, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || random() < 0.1)
    return structuredClone(pick(random, STRANGE));
  const keys = Object.keys(value);
  const key =
    keys.length === 0 || random() < 0.1
      ? pick(random, ['', '0', 'type', 'content', 'extra'])
      : pick(random, keys);
  const inner = (value as Json)[key];
  const changed = random() < 0.15 ? undefined : spoilOnce(random, inner);
  if (Array.isArray(value))
    return random() < 0.2 ? [...value, changed] : value.toSpliced(Number(key) || 0, 1, changed);
  return { ...value, [key]: changed };
}

/** The bytes of a body, now and then cut off. */
function textOf(random: Random, body: unknown): string {
  const text = JSON.stringify(body) ?? '';
  return random() < 0.03 ? text.slice(0, Math.floor(random() * text.length)) : text;
}

async function check(
  api: ApiUnderTest,
  path: string,
  body: string,
  isError: (json: Json) => boolean,
): Promise<number> {
  const response = await api.post(body, {}, path);
  const text = await response.text();
  const what = `${path} ${response.status}: ${body.slice(0, 500)} → ${text.slice(0, 300)}`;
  assert.ok(response.status === 200 || (response.status >= 400 && response.status < 500), what);
  if (response.status !== 200) assert.ok(isError(JSON.parse(text) as Json), what);
  return response.status;
}

test(`${BODIES} spoiled bodies: an answer, or an error in the form of the dialect`, async (t) => {
  const api = await startApi(t);
  const random = seeded(8);
  const script = api.source.script;
  api.source.script = (request) => (request.maxTokens > 100 ? script(request) : sum.greedy_ids.slice(0, 2));
  const statuses = new Map<number, number>();
  const jobs = Array.from({ length: BODIES }, (_, index) => {
    const [path, body, isError] = ROUTES[index % ROUTES.length] as (typeof ROUTES)[number];
    return { path, isError, text: textOf(random, spoil(random, body)) };
  }).values();
  const work = async () => {
    for (const { path, text, isError } of jobs) {
      const status = await check(api, path, text, isError);
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  assert.ok((statuses.get(200) ?? 0) > BODIES / 10, 'some are still right');
  assert.ok((statuses.get(400) ?? 0) > BODIES / 10, 'some are wrong');
  const { choices } = await api.ask<Answer>({ messages: sum.messages });
  assert.equal(choices[0].message.content, SUM_ANSWER);
});

test('texts that are objects without a text of their own', async (t) => {
  const api = await startApi(t);
  const text = { toString: null, valueOf: null };
  const bodies: [path: string, body: object][] = [
    [
      '/v1/messages',
      { system: [{ type: 'text', text }], messages: [{ role: 'user', content: [{ type: 'text', text }] }] },
    ],
    ['/v1/messages', { messages: [{ role: 'assistant', content: [{ type: 'thinking', thinking: text }] }] }],
    ['/v1/messages', { messages: [{ role: 'user', content: [{ type: 'tool_result', tool_use_id: text }] }] }],
    ['/v1/responses', { input: [{ type: 'function_call', name: 'f', arguments: '{}', call_id: text }] }],
    ['/v1/chat/completions', { messages: [{ ...USER, name: text }] }],
  ];
  for (const [path, body] of bodies) {
    const { status } = await api.post(body, {}, path);
    assert.ok(status === 200 || status === 400, `${path} ${JSON.stringify(body)}: ${status}`);
  }
});

test('bodies that are nested without end are refused', async (t) => {
  const api = await startApi(t);
  const deep = `${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}`;
  const user = JSON.stringify([USER]);
  for (const [path, body] of [
    [
      '/v1/chat/completions',
      `{"messages":${user},"response_format":{"type":"json_schema","json_schema":{"schema":${deep}}}}`,
    ],
    ['/v1/chat/completions', `{"messages":${user},"tools":[{"function":{"name":"f","parameters":${deep}}}]}`],
    [
      '/v1/messages',
      `{"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"x","name":"f","input":${deep}}]}]}`,
    ],
    ['/api/chat', `{"model":"demo-model","messages":${user},"format":${deep}}`],
    ['/v1/responses', `{"input":[{"role":"user","content":${deep}}]}`],
  ] as const) {
    const response = await api.post(body, {}, path);
    assert.equal(response.status, 400, `${path} ${body.slice(0, 80)}: ${await response.clone().text()}`);
    await response.text();
  }
});

for (const [path, body] of ROUTES) {
  test(`${path}: as it is, the body is right`, async (t) => {
    const api = await startApi(t);
    const response = await api.post(body, {}, path);
    assert.equal(response.status, 200, await response.clone().text());
    await response.text();
  });
}
