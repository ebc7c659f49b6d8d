// Both ends of a measurement over real sockets on loopback, and what happens when one of them is not what it should be.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer as createTcp } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { connect, createServer, type Server, type TLSSocket } from 'node:tls';
import { readCounters } from '../../../agent/probe/counters.ts';
import { measureAll, reachAll } from '../../../agent/probe/dialer.ts';
import { isOffered, ProbeListener } from '../../../agent/probe/listener.ts';
import { ProbeFrameReader, probeFrame, probeGreeting } from '../../../agent/probe/wire.ts';
import { PROBE_ROUND_TRIPS } from '../../../protocol/limits.ts';
import type { ProbeTarget } from '../../../protocol/probe.ts';
import { serverTls } from '../../../protocol/tls.ts';
import { newIdentity } from '../../support/identities.ts';
import { until } from '../../support/until.ts';

const TOKEN = 'a'.repeat(43);
const NEVER = new AbortController().signal;
const [OURS, THEIRS, STRANGER] = await Promise.all([newIdentity(), newIdentity(), newIdentity()]);
/** Of the end that dials, and of the one that listens. */
const DIALS = { credentials: OURS, peer: THEIRS.fingerprint };
const LISTENS = { credentials: THEIRS, peer: OURS.fingerprint };
/** Of a network for documentation (RFC 5737): no machine has it. */
const NOT_OURS = '198.51.100.7';

function toLoopback(port: number): ProbeTarget {
  return { from: '127.0.0.1', to: '127.0.0.1', port };
}

/** A server with the right key that does with each connection what a test wants. */
async function serving(onSocket: (socket: TLSSocket) => void): Promise<{ port: number; server: Server }> {
  const server = createServer(serverTls(THEIRS, 3_000), (socket) => {
    socket.on('error', () => undefined);
    onSocket(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const bound = server.address();
  return { port: typeof bound === 'object' && bound ? bound.port : 0, server };
}

describe('a measurement on loopback', () => {
  const refused: string[] = [];
  const listener = new ProbeListener(TOKEN, LISTENS, (message) => refused.push(message));
  let port = 0;
  before(async () => {
    const [opened] = await listener.open(['127.0.0.1'], () => true);
    port = opened?.port ?? 0;
  });
  after(() => listener.close());

  test('has round trips of both sizes and a burst, and names loopback as its carrier', async () => {
    const [path] = await measureAll([toLoopback(port)], TOKEN, DIALS, NEVER, readCounters, () => 'lo');
    const { small, hidden, burst, carriedBy } = path?.figures ?? assert.fail(JSON.stringify(path));
    for (const { count, p50Us, p99Us } of [small, hidden]) {
      assert.ok(count >= 1 && count <= PROBE_ROUND_TRIPS, `${count} round trips`);
      assert.ok(p50Us > 0 && p99Us >= p50Us);
    }
    assert.ok(burst.bytes > 0 && burst.elapsedUs > 0);
    assert.ok(Math.abs(burst.gbps - (burst.bytes * 8) / burst.elapsedUs / 1000) < 1e-9);
    assert.equal(carriedBy, process.platform === 'linux' ? 'lo' : 'lo0');
  });

  test('each way not to arrive has its name', async () => {
    const closed = await serving(() => undefined);
    closed.server.close();
    const mute = await serving(() => undefined);
    const gone = await serving((socket) => socket.destroy());
    const tries = await reachAll(
      [
        toLoopback(port),
        toLoopback(closed.port),
        { from: NOT_OURS, to: '127.0.0.1', port },
        toLoopback(mute.port),
        toLoopback(gone.port),
      ],
      TOKEN,
      DIALS,
      NEVER,
      300,
    );
    mute.server.close();
    gone.server.close();
    assert.deepEqual(
      tries.map(({ outcome, code }) => [outcome, code]),
      [
        ['reached', null],
        ['refused', 'ECONNREFUSED'],
        ['address-gone', 'EADDRNOTAVAIL'],
        ['stranger', null],
        ['stranger', null],
      ],
    );
  });

  test('a wrong token is not let in', async () => {
    const [one] = await reachAll([toLoopback(port)], 'b'.repeat(43), DIALS, NEVER);
    assert.equal(one?.outcome, 'stranger');
  });

  test('a wrong key is not let in, and not talked to', async () => {
    const as = { credentials: STRANGER, peer: THEIRS.fingerprint };
    const [theyRefuse] = await reachAll([toLoopback(port)], TOKEN, as, NEVER);
    assert.equal(theyRefuse?.outcome, 'stranger');
    assert.match(refused.join('\n'), /another key/);
    const with_ = { credentials: OURS, peer: STRANGER.fingerprint };
    const [weRefuse] = await reachAll([toLoopback(port)], TOKEN, with_, NEVER);
    assert.equal(weRefuse?.outcome, 'stranger');
    const plain = createTcp((socket) => {
      socket.on('error', () => undefined);
      socket.end('SSH-2.0-dropbear\r\n');
    });
    plain.listen(0, '127.0.0.1');
    await once(plain, 'listening');
    const bound = plain.address();
    const [noTls] = await reachAll(
      [toLoopback(typeof bound === 'object' && bound ? bound.port : 0)],
      TOKEN,
      DIALS,
      NEVER,
    );
    plain.close();
    assert.equal(noTls?.outcome, 'stranger');
  });

  test('a listener that stops in the middle costs its path and no other', async () => {
    const dying = await serving((socket) => {
      socket.once('data', () => socket.write(probeFrame('ready')));
      setTimeout(() => socket.destroy(), 20);
    });
    const targets = [toLoopback(dying.port), toLoopback(port)];
    const paths = await measureAll(targets, TOKEN, DIALS, NEVER, readCounters, () => 'lo');
    dying.server.close();
    assert.deepEqual(
      paths.map(({ outcome, figures }) => [outcome, figures !== null]),
      [
        ['failed', false],
        ['reached', true],
      ],
    );
  });

  test('a receiver that is held up makes a link slower, never faster', async () => {
    const slow = await serving((socket) => {
      const reader = new ProbeFrameReader();
      let bytes = 0;
      socket.once('data', () => {
        socket.write(probeFrame('ready'));
        socket.on('data', (chunk) => {
          for (const { kind, payloadBytes } of reader.push(chunk)) {
            if (kind === 'ping') socket.write(probeFrame('pong', payloadBytes));
            if (kind === 'data') bytes += payloadBytes;
            if (kind === 'end') {
              const received = probeFrame('received', 0, bytes);
              bytes = 0;
              setTimeout(() => socket.write(received), 200);
            }
          }
        });
      });
    });
    const [path] = await measureAll([toLoopback(slow.port)], TOKEN, DIALS, NEVER, readCounters, () => 'lo');
    slow.server.close();
    const { bytes, elapsedUs, gbps } = path?.figures?.burst ?? assert.fail(JSON.stringify(path));
    assert.ok(elapsedUs > 150_000, `${elapsedUs}`);
    assert.ok(gbps < (bytes * 8) / 150_000 / 1000);
  });

  test('who answers with other frames than were asked for is given up', async () => {
    const liar = await serving((socket) =>
      socket.once('data', () => socket.write(Buffer.concat([probeFrame('ready'), probeFrame('received')]))),
    );
    const [path] = await measureAll([toLoopback(liar.port)], TOKEN, DIALS, NEVER, readCounters, () => 'lo');
    liar.server.close();
    assert.equal(path?.figures, null);
  });

  test('an abort ends it at once, with all of its sockets', async () => {
    const abort = new AbortController();
    let open = 0;
    const slow = await serving((socket) => {
      open += 1;
      socket.once('data', () => socket.write(probeFrame('ready')));
      socket.once('close', () => {
        open -= 1;
      });
    });
    const measuring = measureAll(
      [toLoopback(slow.port)],
      TOKEN,
      DIALS,
      abort.signal,
      readCounters,
      () => 'lo',
    );
    await until(() => open === 1, 'a connection');
    abort.abort();
    assert.equal((await measuring)[0]?.outcome, 'timed-out');
    await until(() => open === 0, 'its end');
    slow.server.close();
  });

  test('nonsense after the greeting closes that connection, and the listener goes on', async () => {
    for (const nonsense of [Buffer.from('GET / HTTP/1.1\r\n\r\n'), probeFrame('received')]) {
      const { key, certificate: cert } = OURS;
      const socket = connect({ host: '127.0.0.1', port, key, cert, rejectUnauthorized: false });
      socket.write(Buffer.concat([probeGreeting(TOKEN), nonsense]));
      socket.resume();
      await once(socket, 'close');
    }
    const [one] = await reachAll([toLoopback(port)], TOKEN, DIALS, NEVER);
    assert.equal(one?.outcome, 'reached');
  });
});

test('an agent listens where --host lets it', async () => {
  assert.ok(isOffered('0.0.0.0', '192.168.1.4') && isOffered('::', 'fe80::1%en5'));
  assert.ok(isOffered('192.168.1.4', '192.168.1.4') && isOffered('localhost', '127.0.0.1'));
  assert.ok(!isOffered('127.0.0.1', '192.168.1.4') && !isOffered('192.168.1.4', 'fe80::1%en5'));
  const listener = new ProbeListener(TOKEN, LISTENS, () => undefined);
  const ports = await listener.open(
    ['127.0.0.1', NOT_OURS, '127.0.0.2'],
    (address) => address !== '127.0.0.2',
  );
  listener.close();
  assert.deepEqual(
    ports.map(({ port, why }) => [port !== null, why]),
    [
      [true, null],
      [false, 'failed'],
      [false, 'not-offered'],
    ],
  );
});
