import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectPlain } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { connect, type TLSSocket } from 'node:tls';
import { encodeFrame, type Frame, type StepFrame } from '../../../agent/stage/frame.ts';
import { HopClient, HopServer } from '../../../agent/stage/hop.ts';
import type { Credentials } from '../../../protocol/identity.ts';
import { HOP_BEAT_MS, HOP_SILENCE_MS } from '../../../protocol/limits.ts';
import { newIdentity } from '../../support/identities.ts';
import { until } from '../../support/until.ts';

const HELLO = { epoch: 3, fromStage: 1, hopToken: 'the-secret-of-this-deployment' };

const [OURS, BEFORE, STRANGER] = await Promise.all([newIdentity(), newIdentity(), newIdentity()]);
/** Of the stage that listens, and of the one before it. */
const LISTENS = { credentials: OURS, peer: BEFORE.fingerprint };
const DIALS = { credentials: BEFORE, peer: OURS.fingerprint };

function dial(port: number, { key, certificate: cert }: Credentials): TLSSocket {
  return connect({ port, host: '127.0.0.1', key, cert, rejectUnauthorized: false });
}

function listening() {
  const seen = { linked: 0, frames: [] as Frame[], lost: [] as string[], refused: [] as string[] };
  const server = new HopServer(HELLO, LISTENS, {
    onLinked: () => {
      seen.linked += 1;
    },
    onFrame: (frame) => seen.frames.push(frame),
    onLost: (reason) => seen.lost.push(reason),
    onRefused: (reason) => seen.refused.push(reason),
  });
  return { seen, server, port: server.listen('127.0.0.1') };
}

function step(tokens: number): StepFrame {
  const width = 64;
  const rows = [{ session: 1, position: 0, count: tokens, sample: true }];
  return {
    kind: 'step',
    epoch: 3,
    step: 1,
    ops: [],
    rows,
    hidden: { dtype: 'F32', width, bytes: Buffer.alloc(tokens * width * 4, 7) },
  };
}

describe('hop', () => {
  const { seen, server, port: listeningAt } = listening();
  let port: number;
  before(async () => {
    port = await listeningAt;
  });
  const strangers: TLSSocket[] = [];
  const knock = async (bytes: Buffer, as: Credentials = BEFORE): Promise<void> => {
    const socket = dial(port, as);
    strangers.push(socket);
    socket.on('error', () => undefined);
    socket.write(bytes);
    await once(socket, 'close');
  };
  after(() => {
    server.close();
    for (const socket of strangers) socket.destroy();
  });

  test('strangers are closed with the reason', async () => {
    await knock(Buffer.from('GET / HTTP/1.1\r\nHost: studio-1\r\n\r\n'));
    await knock(encodeFrame(step(1)));
    await knock(encodeFrame({ kind: 'hello', ...HELLO, hopToken: 'another-secret-of-the-same-' }));
    await knock(encodeFrame({ kind: 'hello', ...HELLO, epoch: 2 }));
    await knock(encodeFrame({ kind: 'hello', ...HELLO, fromStage: 0 }));
    await knock(encodeFrame({ kind: 'hello', ...HELLO }), STRANGER);
    await until(() => seen.refused.length === 6);
    for (const reason of [
      /key is not the neighbour's/,
      /ESPL/,
      /did not begin with a hello/,
      /token/,
      /epoch 2/,
      /stage 0, not 1/,
    ]) {
      assert.ok(
        seen.refused.some((text) => reason.test(text)),
        `${reason} in ${seen.refused.join('\n')}`,
      );
    }
    assert.equal(seen.linked, 0);
  });

  test('the neighbour is linked, and its frames arrive whole', async () => {
    const client = await HopClient.dial({ host: '127.0.0.1', port }, HELLO, DIALS, () => undefined);
    const sent = [step(1), step(700), step(2)];
    for (const frame of sent) client.send(frame);
    await until(() => seen.frames.length === 3);
    assert.deepEqual(seen.frames, sent);
    assert.equal(seen.linked, 1);

    // nobody else has business there: the port is closed, for one with the right key and words, too
    await assert.rejects(knock(encodeFrame({ kind: 'hello', ...HELLO })), { code: 'ECONNREFUSED' });
    client.send(step(3));
    await until(() => seen.frames.length === 4);
    assert.deepEqual(seen.lost, []);
    client.close();
    await until(() => seen.lost.length === 1);
  });
});

test('a neighbour that sends nonsense loses its hop, with the reason', async () => {
  const { seen, server, port } = listening();
  const socket = dial(await port, BEFORE);
  socket.on('error', () => undefined);
  socket.write(encodeFrame({ kind: 'hello', ...HELLO }));
  await until(() => seen.linked === 1);
  socket.write(Buffer.alloc(64, 0xff));
  await once(socket, 'close');
  await until(() => seen.lost.length === 1);
  assert.match(seen.lost[0] ?? '', /malformed/);
  server.close();
});

describe('an idle hop', () => {
  /** A hop whose sender is at the test's mercy. */
  async function hop() {
    const { seen, server, port } = listening();
    const client = await HopClient.dial(
      { host: '127.0.0.1', port: await port },
      HELLO,
      DIALS,
      () => undefined,
    );
    await until(() => seen.linked === 1);
    return { seen, server, client };
  }

  test('is lost when nothing comes, unless its sender beats or said that it would be busy', async () => {
    const [silent, beating, busy, unbusied] = [await hop(), await hop(), await hop(), await hop()];
    const beat = setInterval(() => beating.client.beat(3, 0), HOP_BEAT_MS);
    busy.client.beat(3, 60_000);
    unbusied.client.beat(3, 60_000);
    unbusied.client.send(step(1)); // it has done what it was busy with
    try {
      await until(() => silent.seen.lost.length === 1 && unbusied.seen.lost.length === 1);
      assert.match(silent.seen.lost[0] ?? '', /^nothing came for \d\.\d s$/);
      assert.deepEqual([beating.seen.lost, busy.seen.lost], [[], []]);
      assert.deepEqual(
        [beating.seen.frames, busy.seen.frames],
        [[], []],
        'beats are no frames for the stage',
      );
    } finally {
      clearInterval(beat);
      for (const { client, server } of [silent, beating, busy, unbusied]) {
        client.close();
        server.close();
      }
    }
  });
});

test('a silence that is announced behind a frame that is still on its way is heard of', async () => {
  const { seen, server, port } = listening();
  const at = { host: '127.0.0.1', port: await port };
  const client = await HopClient.dial(at, HELLO, DIALS, () => undefined);
  await until(() => seen.linked === 1);
  try {
    // half a megabyte, and in the same turn the beginning of a long step: nothing of it is sent yet
    client.send(step(2_000));
    client.beat(3, 60_000);
    await until(() => seen.frames.length === 1, 'the frame');
    const endsAt = performance.now() + HOP_SILENCE_MS + 2_000;
    await until(() => performance.now() > endsAt || seen.lost.length > 0);
    assert.deepEqual(seen.lost, []);
    // and behind a neighbour that reads nothing, announcements do not pile up
    const before = client.sentBytes;
    for (let i = 0; i < 10_000; i++) client.beat(3, i % 2);
    assert.ok(client.sentBytes - before < 10_000, `${client.sentBytes - before} bytes`);
  } finally {
    client.close();
    server.close();
  }
});

test('a hundred strangers at a port that waits do not keep the neighbour out', async () => {
  const { seen, server, port: listeningAt } = listening();
  const port = await listeningAt;
  const strangers = Array.from({ length: 100 }, (_, i) => {
    const socket = i % 2 === 0 ? dial(port, STRANGER) : connectPlain(port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write(Buffer.alloc(100, i));
    return socket;
  });
  const client = await HopClient.dial({ host: '127.0.0.1', port }, HELLO, DIALS, () => undefined);
  client.send(step(1));
  await until(() => seen.frames.length === 1, 'a frame of the neighbour');
  await until(() => strangers.every(({ destroyed }) => destroyed), 'the end of the strangers');
  assert.equal(seen.linked, 1);
  assert.ok(seen.refused.length > 0 && seen.refused.length <= 20, `${seen.refused.length} lines of log`);
  client.close();
  server.close();
});
