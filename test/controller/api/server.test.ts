import assert from 'node:assert/strict';
import { type AddressInfo, createServer } from 'node:net';
import { type TestContext, test } from 'node:test';
import OpenAI from 'openai';
import { type ErrorCode, EspalierError } from '../../../protocol/errors.ts';
import { MAX_API_BODY_BYTES, MAX_TRACE_STEPS } from '../../../protocol/limits.ts';
import { LINKS_PATH, LinksReport, MEASURE_LINKS_PATH } from '../../../protocol/links.ts';
import { ClusterStatus } from '../../../protocol/status.ts';
import { type ChromeTrace, DEFAULT_TRACE_STEPS, TRACE_PATH, TraceMetadata } from '../../../protocol/trace.ts';
import {
  type ApiUnderTest,
  type Failure,
  rawConnection,
  readUntil,
  SUM_ANSWER,
  startApi,
  sum,
} from './api-under-test.ts';

async function assertError(
  response: Response,
  status: number,
  code: ErrorCode,
  param: string | null = null,
): Promise<string> {
  const { error } = (await response.json()) as Failure;
  assert.equal(response.status, status, JSON.stringify(error));
  assert.equal(error.code, code);
  assert.equal(error.param, param);
  assert.equal(error.type, status >= 500 ? 'server_error' : 'invalid_request_error');
  return error.message;
}

test('the front page lists the routes, and HEAD has none of it', async (t) => {
  const { url } = await startApi(t);
  const page = await fetch(url);
  assert.equal(page.status, 200);
  const text = await page.text();
  const routes = [
    '/health',
    '/v1/models',
    '/v1/chat/completions',
    '/cluster/v1/status',
    '/cluster/v1/trace',
    '/cluster/v1/links',
  ];
  for (const route of routes) {
    assert.ok(text.includes(route), route);
  }
  const head = await fetch(url, { method: 'HEAD' });
  assert.equal(head.status, 200);
  assert.equal(await head.text(), '');
});

test('health says ok, or the state and the reason', async (t) => {
  const api = await startApi(t);
  const healthy = await fetch(`${api.url}/health`);
  assert.equal(healthy.status, 200);
  assert.deepEqual(await healthy.json(), { status: 'ok' });
  api.setState('degraded', 'studio-2 is lost');
  const ill = await fetch(`${api.url}/health`);
  assert.equal(ill.status, 503);
  assert.deepEqual(await ill.json(), { status: 'degraded', reason: 'studio-2 is lost' });
});

test('the openai client lists and gets models', async (t) => {
  const api = await startApi(t);
  const client = new OpenAI({ baseURL: `${api.url}/v1`, apiKey: 'none', maxRetries: 0 });
  const { data } = await client.models.list();
  assert.deepEqual(
    data.map(({ id, object, owned_by }) => ({ id, object, owned_by })),
    [{ id: 'demo-model', object: 'model', owned_by: 'espalier' }],
  );
  assert.equal((await client.models.retrieve('demo-model')).id, 'demo-model');
  await assert.rejects(client.models.retrieve('some/other'), (error: unknown) => {
    assert.ok(error instanceof OpenAI.NotFoundError);
    assert.match(error.message, /"some\/other".*demo-model/);
    return true;
  });
});

test('the status is the public picture', async (t) => {
  const { url } = await startApi(t);
  const status = ClusterStatus.parse(await (await fetch(`${url}/cluster/v1/status`)).json());
  assert.equal(status.state, 'serving');
});

test('the links are told, and measured again by whoever sends JSON', async (t) => {
  const { url } = await startApi(t);
  const links = LinksReport.parse(await (await fetch(`${url}${LINKS_PATH}`)).json());
  assert.equal(links.pairs[0]?.measuredAt, 1);
  const measure = (body: string, type: string) =>
    fetch(`${url}${MEASURE_LINKS_PATH}`, { method: 'POST', headers: { 'content-type': type }, body });
  await assertError(await measure('{}', 'text/plain'), 415, 'wrong_content_type');
  await assertError(await measure('null', 'application/json'), 400, 'invalid_request');
  const again = LinksReport.parse(await (await measure('{}', 'application/json')).json());
  assert.ok((again.pairs[0]?.measuredAt ?? 0) > 1);
});

test('the trace has as many of the last steps as are asked for', async (t) => {
  const { url } = await startApi(t);
  for (const [query, steps] of [
    ['', DEFAULT_TRACE_STEPS],
    ['?steps=1', 1],
    [`?steps=${MAX_TRACE_STEPS}`, 300],
  ] as const) {
    const trace = (await (await fetch(`${url}${TRACE_PATH}${query}`)).json()) as ChromeTrace;
    assert.equal(TraceMetadata.parse(trace.metadata).summary.steps, steps);
    assert.equal(trace.displayTimeUnit, 'ms');
    const ofHead = trace.traceEvents.filter(
      (event) => event.ph === 'X' && event.cat === 'step' && event.pid === 1,
    );
    assert.equal(ofHead.length, steps);
  }
});

test('a number of steps that cannot be is refused, a trace of a cluster that does not serve too', async (t) => {
  const api = await startApi(t);
  for (const steps of ['0', '513', '-1', '1.5', 'all', '', '1&steps=2', '1e2']) {
    const response = await fetch(`${api.url}${TRACE_PATH}?steps=${steps}`);
    assert.match(await assertError(response, 400, 'invalid_request', 'steps'), /from 1 to 512/);
  }
  api.setState('degraded', 'studio-2 is lost');
  await assertError(await fetch(`${api.url}${TRACE_PATH}`), 503, 'not_ready');
});

test('while the cluster does not serve, chats get 503 with its reason and Retry-After', async (t) => {
  const api = await startApi(t);
  api.setState('deploying', 'stage 2 of 3 loads');
  for (const stream of [true, false]) {
    const response = await api.post({ messages: sum.messages, stream });
    assert.ok(Number(response.headers.get('retry-after')) > 0);
    assert.match(await assertError(response, 503, 'not_ready'), /deploying: stage 2 of 3 loads/);
  }
  api.setState('serving', null);
  assert.equal((await api.post({ messages: sum.messages })).status, 200);
});

test('a field that is wrong is named', async (t) => {
  const api = await startApi(t);
  const hi = { role: 'user', content: 'hi' };
  const image = { type: 'image_url', image_url: { url: 'data:' } };
  for (const [fields, param] of [
    [{ messages: undefined }, 'messages'],
    [{ messages: [] }, 'messages'],
    [{ messages: 'hi' }, 'messages'],
    [{ messages: ['hi'] }, 'messages[0]'],
    [{ messages: [{ role: 'robot', content: 'hi' }] }, 'messages[0].role'],
    [{ messages: [hi, { role: 'user' }] }, 'messages[1].content'],
    [{ messages: [{ role: 'user', content: 5 }] }, 'messages[0].content'],
    [
      { messages: [{ role: 'user', content: [{ type: 'text', text: 'x' }, image] }] },
      'messages[0].content[1]',
    ],
    [
      { messages: [{ role: 'assistant', content: null, tool_calls: [{}] }] },
      'messages[0].tool_calls[0].function',
    ],
    [{ model: 5 }, 'model'],
    [{ max_tokens: 0 }, 'max_tokens'],
    [{ max_tokens: -1 }, 'max_tokens'],
    [{ max_tokens: 1.5 }, 'max_tokens'],
    [{ max_tokens: '10' }, 'max_tokens'],
    [{ max_completion_tokens: 0 }, 'max_completion_tokens'],
    [{ temperature: 2.1 }, 'temperature'],
    [{ temperature: -0.1 }, 'temperature'],
    [{ top_p: 1.1 }, 'top_p'],
    [{ seed: 0.5 }, 'seed'],
    [{ n: 0 }, 'n'],
    [{ n: 17 }, 'n'],
    [{ stream: 'yes' }, 'stream'],
    [{ stop: ['a', 'b', 'c', 'd', 'e'] }, 'stop'],
    [{ stop: '' }, 'stop[0]'],
    [{ stop: 5 }, 'stop'],
    [{ logprobs: 3 }, 'logprobs'],
    [{ top_logprobs: 21 }, 'top_logprobs'],
    [{ top_k: -2 }, 'top_k'],
    [{ logit_bias: { x: 1 } }, 'logit_bias.x'],
    [{ logit_bias: { 5: 101 } }, 'logit_bias.5'],
    [{ tools: [{ type: 'function', function: { name: '' } }] }, 'tools[0].function.name'],
    [{ tool_choice: 'always' }, 'tool_choice'],
    [{ response_format: { type: 'xml' } }, 'response_format.type'],
    [{ response_format: { type: 'json_schema' } }, 'response_format.json_schema'],
  ] as const) {
    for (const stream of [true, false]) {
      const response = await api.post({ messages: [hi], stream, ...fields });
      const message = await assertError(response, 400, 'invalid_request', param);
      assert.ok(message.startsWith(`${param}: `), message);
    }
  }
  assert.equal(api.source.requests.length, 0);
  const notImages = await api.ask<Failure>({ messages: [{ role: 'user', content: [image] }] });
  assert.match(notImages.error.message, /"image_url" cannot be read/);
});

test('large lists of wrong things are refused like small ones', async (t) => {
  const api = await startApi(t);
  const hi = { role: 'user', content: 'hi' };
  const many = (thing: unknown): unknown[] => new Array(500_000).fill(thing);
  for (const [fields, param] of [
    [{ messages: many(5) }, 'messages'],
    [{ messages: [{ role: 'user', content: many({}) }] }, 'messages[0].content[0]'],
    [{ messages: [hi], stop: many(5) }, 'stop'],
    [{ messages: [hi], tools: many(5) }, 'tools'],
  ] as const) {
    await assertError(await api.post(fields), 400, 'invalid_request', param);
  }
});

test('an unknown model is 404 and lists the known ones', async (t) => {
  const api = await startApi(t);
  const response = await api.post({ model: 'gpt-4', messages: sum.messages });
  assert.match(await assertError(response, 404, 'model_not_found', 'model'), /"gpt-4".*demo-model/);
});

test('a prompt over the context is refused with both numbers', async (t) => {
  const api = await startApi(t);
  const content = '1'.repeat(170_000);
  for (const stream of [true, false]) {
    const response = await api.post({ messages: [{ role: 'user', content }], stream });
    assert.match(await assertError(response, 400, 'context_length_exceeded'), /17\d{4} tokens.*163840/);
  }
});

test('bodies that are no JSON object, and other content types', async (t) => {
  const api = await startApi(t);
  for (const body of ['{"messages": [', 'hello', '', '\u0000']) {
    assert.match(await assertError(await api.post(body), 400, 'invalid_request'), /JSON/);
  }
  for (const body of ['null', '[]', '5', '"x"']) {
    await assertError(await api.post(body), 400, 'invalid_request');
  }
  for (const type of [
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'x',
  ]) {
    const response = await api.post({ messages: sum.messages }, { 'content-type': type });
    await assertError(response, 415, 'wrong_content_type');
  }
  const withCharset = await api.post(
    { messages: sum.messages },
    { 'content-type': 'application/json; charset=utf-8' },
  );
  assert.equal(withCharset.status, 200);
});

test('wrong paths are 404, wrong methods 405 with the right ones', async (t) => {
  const { url } = await startApi(t);
  assert.match(await assertError(await fetch(`${url}/v2/chat`), 404, 'not_found'), /\/v2\/chat.*GET \//);
  await assertError(await fetch(`${url}/%E0%A4%A`), 400, 'invalid_request');
  for (const [method, path, allow] of [
    ['GET', '/v1/chat/completions', 'POST'],
    ['POST', '/v1/models', 'GET, HEAD'],
    ['DELETE', '/v1/models/demo-model', 'GET, HEAD'],
    ['OPTIONS', '/v1/chat/completions', 'POST'],
  ] as const) {
    const response = await fetch(url + path, { method });
    assert.equal(response.headers.get('allow'), allow);
    await assertError(response, 405, 'method_not_allowed');
  }
  assert.equal((await fetch(`${url}/v1/models/?limit=1000`)).status, 200);
});

async function answerTo(t: TestContext, { at }: ApiUnderTest, send: string): Promise<string> {
  const socket = await rawConnection(t, at);
  socket.write(send);
  return readUntil(socket, (text) => text.includes('}}'));
}

test('10 MB bodies get 413, not a reset, however they are sent', async (t) => {
  const api = await startApi(t);
  const body = JSON.stringify({ messages: [{ role: 'user', content: 'x'.repeat(10_000_000) }] });
  assert.ok(body.length > MAX_API_BODY_BYTES);
  const head = 'POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n';
  for (const [name, request] of [
    ['with a length', `${head}content-length: ${body.length}\r\n\r\n${body}`],
    [
      'in chunks',
      `${head}transfer-encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`,
    ],
  ] as const) {
    await t.test(name, async (t) => {
      const socket = await rawConnection(t, api.at);
      socket.pause();
      await new Promise<void>((resolve, reject) => {
        socket.once('error', reject);
        socket.write(request, () => resolve());
      });
      const answer = await readUntil(socket, (text) => text.includes('}}'));
      assert.match(answer, /^HTTP\/1\.1 413 /);
      assert.match(answer, /"code":"body_too_large"/);
      // The connection is still good.
      socket.write('GET /health HTTP/1.1\r\nhost: x\r\n\r\n');
      assert.match(await readUntil(socket, (text) => text.includes('}')), /^HTTP\/1\.1 200 /);
    });
  }
  await assertError(await api.post(body), 413, 'body_too_large');
});

test('too many header bytes are 431, and no HTTP is 400', async (t) => {
  const api = await startApi(t);
  const large = await answerTo(t, api, `GET / HTTP/1.1\r\nhost: x\r\nx-long: ${'x'.repeat(40_000)}\r\n\r\n`);
  assert.match(large, /^HTTP\/1\.1 431 [\s\S]*"code":"headers_too_large"/);
  assert.match(
    await answerTo(t, api, 'hello there\r\n\r\n'),
    /^HTTP\/1\.1 400 [\s\S]*"code":"invalid_request"/,
  );
});

test('an offer of HTTP/2 does not keep a chat from its answer', async (t) => {
  const api = await startApi(t);
  const body = JSON.stringify({ messages: sum.messages });
  const head = 'POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n';
  const upgrade =
    'connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__\r\n';
  const request = `${head}${upgrade}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
  const socket = await rawConnection(t, api.at);
  socket.write(request);
  assert.ok((await readUntil(socket, (text) => text.includes('total_tokens'))).includes(SUM_ANSWER));
});

test('a taken port names the port and the flag', async (t) => {
  const { at } = await startApi(t);
  const other = createServer();
  t.after(() => other.close());
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  const { port } = other.address() as AddressInfo;
  for (const taken of [port, at.port]) {
    await assert.rejects(startApi(t, {}, { host: '127.0.0.1', port: taken }), (error: EspalierError) => {
      assert.ok(error instanceof EspalierError);
      assert.equal(error.code, 'port_taken');
      assert.ok(error.message.includes(String(taken)) && error.message.includes('--port'));
      return true;
    });
  }
  // An address for documentation: no machine has it.
  await assert.rejects(startApi(t, {}, { host: '203.0.113.1', port: 0 }), { code: 'bad_option' });
});
