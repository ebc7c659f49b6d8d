// What somebody in the network may throw at a port: each attack opens connections of its own and leaves when told.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { WebSocket } from 'ws';
import type { Credentials } from '../../protocol/identity.ts';

export interface Target {
  /** loopback where it is left out */
  host?: string | undefined;
  port: number;
  /** the attacker's own address, where the system has several on loopback; otherwise the same as everybody's */
  from: string;
}

/** Linux answers on all of 127/8, macOS on 127.0.0.1 alone. */
export const STRANGER_ADDRESS = process.platform === 'linux' ? '127.0.0.66' : '127.0.0.1';

const GARBAGE = [
  Buffer.from('GET / HTTP/1.1\r\nHost: studio-1\r\n\r\n'),
  Buffer.from('SSH-2.0-OpenSSH_9.9\r\n'),
  Buffer.alloc(600, 0xff),
  // a TLS record that promises 16 KiB of ClientHello, and brings nonsense
  Buffer.concat([Buffer.from([0x16, 3, 1, 0x40, 0]), Buffer.alloc(500, 7)]),
  // one that promises more than a record may hold
  Buffer.from([0x16, 3, 1, 0xff, 0xff, 1, 0, 0xff, 0xff]),
  Buffer.from('ESPL'),
];

/** Connects, says something that is no TLS or half of one, and waits until it is closed. */
export function sayGarbage(target: Target, index: number): Promise<void> {
  return gone(open(target, GARBAGE[index % GARBAGE.length]));
}

/** Connects, says nothing, and stays. */
export function standThere(target: Target): Socket {
  return open(target);
}

/** Says a TLS hello byte by byte. @returns the socket, which its server should end */
export function sayItSlowly(target: Target): Socket {
  const socket = open(target);
  const hello = Buffer.concat([Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]), Buffer.alloc(500, 1)]);
  let at = 0;
  const timer = setInterval(() => socket.write(hello.subarray(at, ++at)), 50);
  socket.once('close', () => clearInterval(timer));
  return socket;
}

/** Ends the handshake with a key of its own or with none, then says bytes that are no HTTP. */
export async function sayNonsenseInTls(
  { host = '127.0.0.1', port, from }: Target,
  credentials: Credentials | undefined,
): Promise<void> {
  const options = {
    ...{ host, port, localAddress: from, rejectUnauthorized: false },
    ...(credentials && { key: credentials.key, cert: credentials.certificate }),
  };
  const socket: TLSSocket = connectTls(options);
  socket.on('error', () => undefined);
  socket.write(Buffer.alloc(2_000, 0x41));
  socket.resume();
  await gone(socket);
}

/** Opens a WebSocket with a key of its own, and says what is no word of any protocol. */
export async function sayMalformedWords(
  { host = '127.0.0.1', port, from }: Target,
  { key, certificate: cert }: Credentials,
  index: number,
): Promise<void> {
  const path = ['/control', '/pair', '/'][index % 3];
  const words = [
    'nonsense',
    '{"kind":"hello"}',
    '{"kind":"undeploy","epoch":1}',
    '['.repeat(3_000),
    'x'.repeat(8_000),
    '{"kind":"start","protocol":4,"controllerName":"x"}',
  ];
  const options = { key, cert, rejectUnauthorized: false, localAddress: from };
  const socket = new WebSocket(`wss://${host}:${port}${path}`, options);
  socket.on('error', () => undefined);
  socket.on('open', () => socket.send(words[index % words.length] as string));
  await new Promise((resolve) => socket.once('close', resolve));
}

function open({ host = '127.0.0.1', port, from }: Target, words?: Buffer): Socket {
  const socket = connect({ host, port, localAddress: from, allowHalfOpen: true });
  socket.on('error', () => undefined);
  // it never closes its own half; once the server has closed its, all is said
  socket.on('end', () => socket.destroy());
  socket.resume();
  if (words) socket.write(words);
  return socket;
}

async function gone(socket: Socket): Promise<void> {
  if (!socket.destroyed) await once(socket, 'close').catch(() => undefined);
}
