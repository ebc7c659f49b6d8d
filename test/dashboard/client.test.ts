import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { afterEach, describe, test } from 'node:test';
import { fetchStatus, parseControllerUrl, type StatusHandlers, watchStatus } from '../../dashboard/client.ts';
import { EspalierError } from '../../protocol/errors.ts';
import { MAX_STATUS_MESSAGE_BYTES } from '../../protocol/limits.ts';
import type { ClusterStatus } from '../../protocol/status.ts';
import { SAMPLE_TIME, sampleStatus } from './sample.ts';
import { type StatusServer, startStatusServer } from './status-server.ts';

const closers: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function serve(body: () => string | undefined, port = 0): Promise<StatusServer> {
  const server = await startStatusServer(body, port);
  closers.push(() => server.close());
  return server;
}

/** A port on which nothing listens. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** Follows a stream and hands out what it reports, one after the other. */
function follow(url: string, timing = {}) {
  const reports: (ClusterStatus | string)[] = [];
  let wake = () => {};
  const report = (value: ClusterStatus | string) => {
    reports.push(value);
    wake();
  };
  const handlers: StatusHandlers = { snapshot: report, gone: report };
  const stream = watchStatus(url, handlers, { firstRetryMs: 10, maxRetryMs: 40, ...timing });
  closers.push(() => stream.stop());
  const until = async <T extends ClusterStatus | string>(
    wanted: (value: ClusterStatus | string) => value is T,
  ): Promise<T> => {
    for (;;) {
      const found = reports.shift();
      if (found === undefined) await new Promise<void>((resolve) => (wake = resolve));
      else if (wanted(found)) return found;
    }
  };
  return {
    stream,
    reports,
    status: () => until((value) => typeof value !== 'string'),
    trouble: () => until((value) => typeof value === 'string'),
  };
}

const code = (error: unknown) => (error instanceof EspalierError ? error.code : error);

describe('the address', () => {
  test('may be a URL or host:port', () => {
    assert.equal(parseControllerUrl('http://127.0.0.1:7117/'), 'http://127.0.0.1:7117');
    assert.equal(parseControllerUrl('studio-1.local:7117'), 'http://studio-1.local:7117');
    assert.equal(parseControllerUrl('localhost:7117'), 'http://localhost:7117');
    assert.equal(parseControllerUrl('[::1]:7117'), 'http://[::1]:7117');
    assert.equal(parseControllerUrl('https://studio/x'), 'https://studio');
  });

  test('is refused with an example when it is something else', () => {
    for (const text of ['', 'ftp://host', 'http://', 'host:99999', 'a b']) {
      assert.throws(
        () => parseControllerUrl(text),
        (error: unknown) => code(error) === 'bad_option' && /http:\/\/127\.0\.0\.1:7117/.test(String(error)),
        text,
      );
    }
  });
});

describe('one snapshot', () => {
  test('is validated and complete', async () => {
    const { url } = await serve(() => JSON.stringify(sampleStatus()));
    assert.deepEqual(await fetchStatus(url), sampleStatus());
  });

  test('of nobody is controller_unreachable, in plain words', async () => {
    const url = `http://127.0.0.1:${await freePort()}`;
    await assert.rejects(fetchStatus(url), {
      code: 'controller_unreachable',
      message: `no controller answers at ${url}: connection refused`,
    });
  });

  test('of another server is controller_unreachable too', async () => {
    const { url } = await serve(() => undefined);
    await assert.rejects(fetchStatus(url), { code: 'controller_unreachable', message: /HTTP 404/ });
    const html = await serve(() => '<html>');
    await assert.rejects(fetchStatus(html.url), { code: 'controller_unreachable', message: /JSON/ });
  });

  test('of another version names both versions and the field', async () => {
    const body = { ...sampleStatus(), espalierVersion: '9.9.9', epoch: 'three' };
    const { url } = await serve(() => JSON.stringify(body));
    await assert.rejects(fetchStatus(url), {
      code: 'protocol_version',
      message: /controller 9\.9\.9.*epoch/,
    });
  });
});

describe('the stream', () => {
  test('brings every snapshot', async () => {
    const server = await serve(() => JSON.stringify(sampleStatus()));
    const client = server.nextClient();
    const { status } = follow(server.url);
    assert.equal((await status()).at, SAMPLE_TIME);
    (await client).send(JSON.stringify(sampleStatus({ at: SAMPLE_TIME + 1 })));
    assert.equal((await status()).at, SAMPLE_TIME + 1);
  });

  test('says that the controller is gone, and comes back by itself when it is', async () => {
    const server = await serve(() => JSON.stringify(sampleStatus()));
    const { status, trouble } = follow(server.url);
    await status();
    await server.close();
    assert.equal(await trouble(), 'it closed the connection');
    assert.equal(await trouble(), 'connection refused');
    await serve(() => JSON.stringify(sampleStatus({ at: SAMPLE_TIME + 7 })), server.port);
    assert.equal((await status()).at, SAMPLE_TIME + 7);
  });

  test('explains data that it does not understand, and goes on with what it does', async () => {
    const server = await serve(() => JSON.stringify({ ...sampleStatus(), tokensPerSecond: 'many' }));
    const client = server.nextClient();
    const { status, trouble } = follow(server.url);
    assert.match(await trouble(), /not understood.*tokensPerSecond/);
    const socket = await client;
    socket.send('{"half":');
    assert.match(await trouble(), /does not answer in JSON/);
    socket.send(JSON.stringify(sampleStatus()));
    assert.deepEqual(await status(), sampleStatus());
  });

  test('drops a message over the limit and connects again', async () => {
    let body = 'x'.repeat(MAX_STATUS_MESSAGE_BYTES + 1);
    const server = await serve(() => body);
    const { status, trouble } = follow(server.url);
    assert.match(await trouble(), /max payload/i);
    body = JSON.stringify(sampleStatus());
    await status();
  });

  test('takes silence for a broken connection', async () => {
    const server = await serve(() => JSON.stringify(sampleStatus()));
    const { status, trouble } = follow(server.url, { silenceMs: 60 });
    await status();
    assert.equal(await trouble(), 'it has said nothing for 0.06 s');
    await status();
  });

  test('says what a server without a stream answers', async () => {
    const plain = (await import('node:http')).createServer((_request, response) => response.end('hello'));
    await new Promise<void>((resolve) => plain.listen(0, '127.0.0.1', resolve));
    closers.push(() => void plain.close());
    const address = plain.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const { trouble } = follow(`http://127.0.0.1:${port}`);
    assert.match(await trouble(), /HTTP 200 where the status stream should be/);
  });

  test('is silent after stop, and leaves no connection behind', async () => {
    const server = await serve(() => JSON.stringify(sampleStatus()));
    const client = server.nextClient();
    const { status, stream, reports } = follow(server.url);
    await status();
    const closed = new Promise((resolve) => void client.then((socket) => socket.on('close', resolve)));
    stream.stop();
    await closed;
    assert.equal(server.clients().length, 0);
    assert.deepEqual(reports, []);
  });
});
