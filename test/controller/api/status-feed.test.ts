import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import { type ClientOptions, WebSocket } from 'ws';
import { MAX_STATUS_CLIENTS } from '../../../protocol/limits.ts';
import { ClusterStatus, STATUS_PATH } from '../../../protocol/status.ts';
import { type ApiUnderTest, startApi, until } from './api-under-test.ts';

function open(
  t: TestContext,
  { at }: ApiUnderTest,
  path = STATUS_PATH,
  options: ClientOptions = {},
): WebSocket {
  const socket = new WebSocket(`ws://${at.host}:${at.port}${path}`, options);
  t.after(() => socket.terminate());
  return socket;
}

async function nextStatus(socket: WebSocket): Promise<ClusterStatus> {
  const [message] = await once(socket, 'message');
  return ClusterStatus.parse(JSON.parse(String(message)));
}

async function refusal(socket: WebSocket): Promise<string> {
  const [error] = await once(socket, 'error');
  return (error as Error).message;
}

test('subscribers get a snapshot at once and then what changes', async (t) => {
  const api = await startApi(t);
  const socket = open(t, api);
  assert.equal((await nextStatus(socket)).state, 'serving');
  api.setState('degraded', 'studio-2 is lost');
  assert.equal((await nextStatus(socket)).reason, 'studio-2 is lost');
  const late = open(t, api);
  assert.equal((await nextStatus(late)).state, 'degraded');
});

test('closing says goodbye', async (t) => {
  const api = await startApi(t);
  const socket = open(t, api);
  await nextStatus(socket);
  const [[code]] = await Promise.all([once(socket, 'close'), api.api.close()]);
  assert.equal(code, 1001);
});

test('other paths have no WebSocket', async (t) => {
  const api = await startApi(t);
  assert.match(await refusal(open(t, api, '/v1/chat/completions')), /404/);
  assert.match(await refusal(open(t, api, '/')), /404/);
});

test("other sites' pages are refused, also those with a name of their own for this machine", async (t) => {
  const api = await startApi(t);
  const from = (origin: string, host?: string): WebSocket =>
    open(t, api, STATUS_PATH, { origin, ...(host === undefined ? {} : { headers: { host } }) });
  const { port } = api.at;
  for (const origin of ['https://evil.example', 'null', `http://127.0.0.1:${port + 1}`, 'http://localhost']) {
    assert.match(await refusal(from(origin)), /403/, origin);
  }
  assert.match(await refusal(from(`http://evil.example:${port}`, `evil.example:${port}`)), /403/);
  assert.equal((await nextStatus(from(`http://127.0.0.1:${port}`))).state, 'serving');
  assert.equal((await nextStatus(from(`http://localhost:${port}`, `localhost:${port}`))).state, 'serving');
});

test('no more than the limit, and a place is free again once one leaves', async (t) => {
  const api = await startApi(t);
  const sockets = Array.from({ length: MAX_STATUS_CLIENTS }, () => open(t, api));
  await Promise.all(sockets.map(nextStatus));
  assert.match(await refusal(open(t, api)), /429/);
  const [first] = sockets;
  first?.close();
  await once(first as WebSocket, 'close');
  assert.equal((await nextStatus(open(t, api))).state, 'serving');
});

test('a subscriber that talks too much is dropped, the others are not', async (t) => {
  const api = await startApi(t);
  const [quiet, loud] = [open(t, api), open(t, api)];
  await Promise.all([nextStatus(quiet), nextStatus(loud)]);
  loud.send('hello');
  loud.send('x'.repeat(5_000));
  const [code] = await once(loud, 'close');
  assert.equal(code, 1009);
  await nextStatus(quiet);
});

test('a subscriber that does not read is dropped, the others are not', async (t) => {
  const api = await startApi(t, { statusIntervalMs: 50 });
  api.setEvents([{ at: 0, level: 'info', text: 'x'.repeat(1_000_000), fix: null }]);
  const [reader, sleeper] = [open(t, api), open(t, api)];
  sleeper.once('open', () => sleeper.pause());
  await nextStatus(reader);
  let closed = false;
  sleeper.once('close', () => {
    closed = true;
  });
  let received = 0;
  reader.on('message', () => received++);
  // By then far more was sent than fits into the buffers between them.
  await until(() => received > 20);
  sleeper.resume();
  await until(() => closed);
  assert.equal(reader.readyState, WebSocket.OPEN);
});

test('a subscriber chooses its interval, and no other one notices', async (t) => {
  const api = await startApi(t, { statusIntervalMs: 60_000 });
  const [often, seldom] = [open(t, api, `${STATUS_PATH}?intervalMs=1`), open(t, api)];
  let seldomHeard = 0;
  seldom.on('message', () => (seldomHeard += 1));
  for (let message = 0; message < 3; message++) await nextStatus(often);
  assert.ok(seldomHeard <= 1, `${seldomHeard}`);
  assert.equal((await nextStatus(open(t, api, `${STATUS_PATH}?intervalMs=often`))).state, 'serving');
});
