import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createConnection, type Socket } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { encodeFrame, type Frame, type StepFrame } from '../../../agent/stage/frame.ts';
import { HopClient, HopServer } from '../../../agent/stage/hop.ts';
import { until } from '../../support/until.ts';

const HELLO = { epoch: 3, fromStage: 1, hopToken: 'the-secret-of-this-deployment' };

function listening() {
  const seen = { linked: 0, frames: [] as Frame[], lost: [] as string[], refused: [] as string[] };
  const server = new HopServer(HELLO, {
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
  const strangers: Socket[] = [];
  const knock = async (bytes: Buffer): Promise<void> => {
    const socket = createConnection(port, '127.0.0.1');
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
    await until(() => seen.refused.length === 5);
    for (const reason of [/ESPL/, /did not begin with a hello/, /token/, /epoch 2/, /stage 0, not 1/]) {
      assert.ok(
        seen.refused.some((text) => reason.test(text)),
        `${reason} in ${seen.refused.join('\n')}`,
      );
    }
    assert.equal(seen.linked, 0);
  });

  test('the neighbour is linked, and its frames arrive whole', async () => {
    const client = await HopClient.dial({ host: '127.0.0.1', port }, HELLO, () => undefined);
    const sent = [step(1), step(700), step(2)];
    for (const frame of sent) client.send(frame);
    await until(() => seen.frames.length === 3);
    assert.deepEqual(seen.frames, sent);
    assert.equal(seen.linked, 1);

    // a second one with the right words, and a stranger, disturb nothing
    await knock(encodeFrame({ kind: 'hello', ...HELLO }));
    await knock(Buffer.alloc(100));
    client.send(step(3));
    await until(() => seen.frames.length === 4);
    assert.deepEqual(seen.lost, []);
    client.close();
    await until(() => seen.lost.length === 1);
  });
});

test('a neighbour that sends nonsense loses its hop, with the reason', async () => {
  const { seen, server, port } = listening();
  const socket = createConnection(await port, '127.0.0.1');
  socket.on('error', () => undefined);
  socket.write(encodeFrame({ kind: 'hello', ...HELLO }));
  await until(() => seen.linked === 1);
  socket.write(Buffer.alloc(64, 0xff));
  await once(socket, 'close');
  await until(() => seen.lost.length === 1);
  assert.match(seen.lost[0] ?? '', /malformed/);
  server.close();
});
