// Who may ask the API what, over real HTTP: on loopback, beyond it, from web pages, and by names that are not this machine's.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request } from 'node:http';
import { type TestContext, test } from 'node:test';
import { WebSocket } from 'ws';
import { Access } from '../../../controller/api/access.ts';
import { ApiKeys } from '../../../controller/trust/api-keys.ts';
import { MEASURE_LINKS_PATH } from '../../../protocol/links.ts';
import { PAIRING_PATH, UNPAIRING_PATH } from '../../../protocol/pairing.ts';
import { STATUS_PATH } from '../../../protocol/status.ts';
import { tempHome } from '../../support/temp-home.ts';
import { startApi } from './api-under-test.ts';

const SECRET = 's'.repeat(43);

async function start(t: TestContext, { host = '127.0.0.1', allowOrigins = [] as string[] } = {}) {
  const keys = new ApiKeys(tempHome());
  const access = new Access({ host, secret: SECRET, keys, allowOrigins });
  const { url, at } = await startApi(t, { access }, { host, port: 0 });
  const here = url.replace('0.0.0.0', '127.0.0.1');
  /** The status, and the code of the error if it is one. */
  const ask = async (path: string, headers: Record<string, string> = {}, body?: unknown) => {
    const json = { 'content-type': 'application/json' };
    const how = body === undefined ? { headers } : { method: 'POST', headers: { ...json, ...headers } };
    const response = await fetch(
      here + path,
      body === undefined ? how : { ...how, body: JSON.stringify(body) },
    );
    const text = await response.text();
    const code = /"code":"(\w+)"/.exec(text)?.[1];
    return code === undefined ? response.status : `${response.status} ${code}`;
  };
  return { keys, ask, port: at.port, url: here };
}

const bearer = (key: string) => ({ authorization: `Bearer ${key}` });

test('on loopback anybody may ask; what changes the cluster takes its own secret or an admin key', async (t) => {
  const { keys, ask } = await start(t);
  const [client, admin] = [
    keys.create('phone', { isAdmin: false }),
    keys.create('laptop', { isAdmin: true }),
  ];
  for (const path of ['/', '/health', '/v1/models', STATUS_PATH, PAIRING_PATH])
    assert.ok([200, 503].includes(Number(await ask(path))), path);
  const changes: [string, unknown][] = [
    [PAIRING_PATH, { node: 'studio-2', code: '1234-5678' }],
    [`${PAIRING_PATH}/`, { node: 'studio-2', code: '1234-5678' }],
    [UNPAIRING_PATH, { node: 'studio-2' }],
    [MEASURE_LINKS_PATH, {}],
  ];
  for (const [path, body] of changes) {
    assert.equal(await ask(path, {}, body), '403 forbidden', path);
    assert.equal(await ask(path, bearer('none'), body), '403 forbidden', path);
    assert.equal(await ask(path, bearer(client), body), '403 forbidden', path);
    assert.equal(await ask(path, bearer(SECRET), body), 200, path);
    assert.equal(await ask(path, bearer(admin), body), 200, path);
    assert.equal(await ask(path, { 'x-api-key': admin }, body), 200, path);
  }
  assert.equal(await ask(PAIRING_PATH, bearer(SECRET), { node: 'x', code: '12' }), '400 invalid_request');
  // what clients that need no key send must do no harm
  assert.equal(await ask('/v1/models', bearer('none')), 200);
});

test('beyond this machine every request takes a key, until that is revoked', async (t) => {
  const { keys, ask } = await start(t, { host: '0.0.0.0' });
  const client = keys.create('phone', { isAdmin: false });
  for (const path of ['/', '/v1/models', STATUS_PATH, PAIRING_PATH, '/nowhere']) {
    assert.equal(await ask(path), '401 unauthorized', path);
    assert.equal(await ask(path, bearer(`${client}x`)), '401 unauthorized', path);
  }
  assert.equal(await ask('/health'), 200, 'only whether it lives');
  for (const headers of [bearer(client), { 'x-api-key': client }, { authorization: `bearer ${client}` }])
    assert.equal(await ask('/v1/models', headers), 200);
  assert.equal(await ask('/v1/chat/completions', {}, { messages: [] }), '401 unauthorized');
  assert.equal(await ask(MEASURE_LINKS_PATH, {}, {}), '401 unauthorized');
  assert.equal(await ask(MEASURE_LINKS_PATH, bearer(client), {}), '403 forbidden');
  assert.equal(await ask(MEASURE_LINKS_PATH, bearer(SECRET), {}), 200);
  keys.revoke('phone');
  assert.equal(await ask('/v1/models', bearer(client)), '401 unauthorized');
});

test('a name that a site gave this machine is refused on loopback', async (t) => {
  const { port } = await start(t);
  const ask = async (host: string) => {
    const asked = request({ host: '127.0.0.1', port, path: '/v1/models', headers: { host } });
    asked.end();
    const [response] = await once(asked, 'response');
    response.resume();
    return response.statusCode;
  };
  for (const host of [`localhost:${port}`, '127.0.0.1', `[::1]:${port}`, 'espalier.localhost', 'LOCALHOST'])
    assert.equal(await ask(host), 200, host);
  for (const host of ['evil.example', `evil.example:${port}`, 'localhost.evil.example', '192.168.1.4', 'a b'])
    assert.equal(await ask(host), 403, host);
});

test('web pages may ask only when their origin was named', async (t) => {
  const origin = 'http://localhost:3000';
  const { url } = await start(t, { allowOrigins: [origin] });
  const preflight = (from: string) =>
    fetch(`${url}/v1/chat/completions`, {
      method: 'OPTIONS',
      headers: { origin: from, 'access-control-request-method': 'POST' },
    });
  assert.equal((await preflight(origin)).headers.get('access-control-allow-origin'), origin);
  assert.equal((await preflight('http://evil.example')).headers.get('access-control-allow-origin'), null);
  const closed = await start(t);
  const refused = await fetch(`${closed.url}/v1/models`, { headers: { origin } });
  assert.equal(refused.headers.get('access-control-allow-origin'), null);

  const socket = (base: string, from: string) => {
    const client = new WebSocket(base.replace('http', 'ws') + STATUS_PATH, { headers: { origin: from } });
    return once(client, 'message').finally(() => client.terminate());
  };
  await socket(url, origin);
  await assert.rejects(socket(url, 'http://evil.example'), /403/);
  await assert.rejects(socket(closed.url, origin), /403/);
});

test('the status stream takes a key where requests do', async (t) => {
  const { url, keys } = await start(t, { host: '0.0.0.0' });
  const client = keys.create('phone', { isAdmin: false });
  const open = (headers: Record<string, string>) => {
    const socket = new WebSocket(url.replace('http', 'ws') + STATUS_PATH, { headers });
    return once(socket, 'message').finally(() => socket.terminate());
  };
  await assert.rejects(open({}), /401/);
  await assert.rejects(open(bearer(SECRET.slice(1))), /401/);
  await open(bearer(client));
});

test('beyond this machine a browser shows its key among the subprotocols, by whichever name it came', async (t) => {
  const { keys, port } = await start(t, { host: '0.0.0.0' });
  const key = keys.create('phone', { isAdmin: false });
  const open = (protocols: string[], origin: string) => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}${STATUS_PATH}`, protocols, {
      origin,
      headers: { host: new URL(origin).host },
    });
    t.after(() => socket.terminate());
    return socket;
  };
  const own = `http://studio-1.local:${port}`;
  const socket = open(['espalier', `espalier-key.${key}`], own);
  await once(socket, 'message');
  assert.equal(socket.protocol, 'espalier', 'the key is not sent back');
  for (const protocols of [['espalier'], ['espalier', 'espalier-key.none']]) {
    const [error] = await once(open(protocols, own), 'error');
    assert.match((error as Error).message, /401/);
  }
});
