// Times the round trip of a step frame over two real hops to another process and back, against bare ping-pongs of the same
// bytes between the same two processes: without TLS, and with it, as hops have it.
import { mkdtemp, rm } from 'node:fs/promises';
import { createConnection, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execaNode } from 'execa';
import { z } from 'zod';
import { encodeFrame, type StepFrame } from '../../agent/stage/frame.ts';
import { HopClient, HopServer } from '../../agent/stage/hop.ts';
import { loadIdentity } from '../../protocol/identity.ts';
import { dialTls } from '../../protocol/tls.ts';
import { median } from './figure.ts';

const ECHO = fileURLToPath(new URL('./hop-echo.js', import.meta.url));
const ROUNDS = 15;
const PINGS = 200;
const WARM_UP = 10;
const TIMEOUT_MS = 10_000;

/** The words between the bench and its echo process. */
export const Ports = z.object({ bare: z.int(), sealed: z.int(), hop: z.int() });
export const HELLO = { epoch: 1, hopToken: 'only-for-this-bench-run' };

export interface RoundTrips {
  hopUs: number;
  /** of the bare ping-pongs: plain TCP, and TLS 1.3 */
  tcpUs: number;
  tlsUs: number;
  /** medians of the rounds' ratios: the hop against each */
  againstTcp: number;
  againstTls: number;
  rounds: number;
}

/** @param hiddenBytes of the frame's hidden state, a multiple of 4 */
export async function compareRoundTrips(hiddenBytes: number, wanted = ROUNDS): Promise<RoundTrips> {
  const [ours, theirs] = await twoIdentities();
  const echo = execaNode(ECHO, [], { ipc: true, reject: false, stderr: 'inherit' });
  const frame = stepFrame(hiddenBytes);
  let arrived: () => void = () => undefined;
  const back = new HopServer(
    { ...HELLO, fromStage: 1 },
    { credentials: ours, peer: theirs.fingerprint },
    { onLinked() {}, onFrame: () => arrived(), onLost() {}, onRefused() {} },
  );
  try {
    const { key, certificate } = theirs;
    await echo.sendMessage({
      port: await back.listen('127.0.0.1'),
      credentials: { key, certificate },
      peer: ours.fingerprint,
    });
    const ports = Ports.parse(await echo.getOneMessage());
    const hop = await HopClient.dial(
      { host: '127.0.0.1', port: ports.hop },
      { ...HELLO, fromStage: 0 },
      { credentials: ours, peer: theirs.fingerprint },
      () => undefined,
    );
    const bare = createConnection({ host: '127.0.0.1', port: ports.bare, noDelay: true });
    const bytes = encodeFrame(frame);
    const overHop = () =>
      new Promise<void>((resolve) => {
        arrived = resolve;
        hop.send(frame);
      });
    const dialled = await dialTls({ host: '127.0.0.1', port: ports.sealed }, ours, { timeoutMs: TIMEOUT_MS });
    const sealed = dialled.socket;
    const overTcp = () => pingPong(bare, bytes);
    const overTls = () => pingPong(sealed, bytes);
    // a hop lives for hours: all are measured when their code is compiled
    for (const way of [overHop, overTcp, overTls]) for (let i = 0; i < WARM_UP; i++) await timeUs(way);
    const rounds = [];
    for (let round = 0; round < wanted; round++)
      rounds.push({
        tcp: await timeUs(overTcp),
        hop: await timeUs(overHop),
        tls: await timeUs(overTls),
      });
    bare.destroy();
    sealed.destroy();
    hop.close();
    return {
      hopUs: median(rounds.map((round) => round.hop)),
      tcpUs: median(rounds.map((round) => round.tcp)),
      tlsUs: median(rounds.map((round) => round.tls)),
      againstTcp: median(rounds.map((round) => round.hop / round.tcp)),
      againstTls: median(rounds.map((round) => round.hop / round.tls)),
      rounds: wanted,
    };
  } finally {
    back.close();
    echo.kill('SIGKILL');
    await echo;
  }
}

async function twoIdentities() {
  const folder = await mkdtemp(join(tmpdir(), 'espalier-bench-keys-'));
  try {
    return [
      await loadIdentity(join(folder, 'a'), 'agent'),
      await loadIdentity(join(folder, 'b'), 'agent'),
    ] as const;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function stepFrame(hiddenBytes: number): StepFrame {
  const rows = [{ session: 1, position: 1, count: 1, sample: true }];
  const hidden = { dtype: 'F32', width: hiddenBytes / 4, bytes: Buffer.alloc(hiddenBytes, 1) } as const;
  return { kind: 'step', epoch: HELLO.epoch, step: 1, ops: [], rows, hidden };
}

/** Median microseconds of one round trip. */
async function timeUs(roundTrip: () => Promise<void>): Promise<number> {
  const times: number[] = [];
  for (let ping = 0; ping < PINGS; ping++) {
    const begin = performance.now();
    await roundTrip();
    times.push((performance.now() - begin) * 1000);
  }
  return median(times);
}

function pingPong(socket: Socket, bytes: Buffer): Promise<void> {
  return new Promise((resolve) => {
    let missing = bytes.length;
    const take = (chunk: Buffer) => {
      missing -= chunk.length;
      if (missing > 0) return;
      socket.off('data', take);
      resolve();
    };
    socket.on('data', take);
    socket.write(bytes);
  });
}
