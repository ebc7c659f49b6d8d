// The listening end of a measurement: a listener on each of this node's addresses that the controller named. Whoever
// does not have the other node's key, or does not say the measurement's token, is closed; the others get echoes, and their bursts are counted.
import { timingSafeEqual } from 'node:crypto';
import { createServer as createTcp, isIPv4, type Server } from 'node:net';
import { createServer as createTls, type TLSSocket } from 'node:tls';
import { Doorkeeper } from '../../protocol/doorkeeper.ts';
import type { Credentials, Fingerprint } from '../../protocol/identity.ts';
import {
  HOP_HELLO_TIMEOUT_MS,
  MAX_PROBE_BURST_BYTES,
  MAX_PROBE_CONNECTIONS,
  PROBE_BURSTS,
} from '../../protocol/limits.ts';
import type { ProbePort } from '../../protocol/probe.ts';
import { peerFingerprint, serverTls } from '../../protocol/tls.ts';
import {
  MAX_PROBE_PAYLOAD_BYTES,
  type ProbeFrame,
  ProbeFrameReader,
  probeFrame,
  probeGreeting,
} from './wire.ts';

/** All bursts and round trips of a connection; those take less than one burst. */
const MAX_RECEIVED_BYTES = (PROBE_BURSTS + 1) * MAX_PROBE_BURST_BYTES;
/** Echoes that the other side does not read; it waits for each before it asks for the next. */
const MAX_UNREAD_BYTES = 2 * MAX_PROBE_PAYLOAD_BYTES;

/** Who measures, and with whom alone. */
export interface ProbeKeys {
  /** of this node */
  credentials: Credentials;
  /** of the other node */
  peer: Fingerprint;
}

export class ProbeListener {
  readonly #greeting: Buffer;
  readonly #keeper: Doorkeeper;
  readonly #tls: ReturnType<typeof createTls>;
  readonly #servers: Server[] = [];
  readonly #sockets = new Set<TLSSocket>();

  /** @param onRefused gets a line for who was refused, a few in a minute at most */
  constructor(token: string, { credentials, peer }: ProbeKeys, onRefused: (message: string) => void) {
    this.#greeting = probeGreeting(token);
    // the other node tries all its addresses at once
    this.#keeper = new Doorkeeper(onRefused, {
      total: MAX_PROBE_CONNECTIONS,
      perAddress: MAX_PROBE_CONNECTIONS,
      perSecond: 2 * MAX_PROBE_CONNECTIONS,
      timeoutMs: HOP_HELLO_TIMEOUT_MS,
    });
    this.#tls = createTls(serverTls(credentials, HOP_HELLO_TIMEOUT_MS));
    this.#tls.on('tlsClientError', (error: NodeJS.ErrnoException, { remoteAddress }) => {
      this.#keeper.note(`a measurement from ${remoteAddress} was refused: ${error.code ?? error.message}`);
    });
    this.#tls.on('secureConnection', (socket: TLSSocket) => {
      socket.on('error', () => socket.destroy());
      if (peerFingerprint(socket) === peer) {
        this.#keeper.vouch(socket);
        this.#greet(socket);
      } else {
        this.#keeper.note(`a measurement from ${socket.remoteAddress} was refused: it has another key`);
        socket.destroy();
      }
    });
  }

  /**
   * Opens a listener on each address, on ports that the system chooses.
   * @param offered whether the agent may listen there (its --host)
   */
  open(addresses: readonly string[], offered: (address: string) => boolean): Promise<ProbePort[]> {
    return Promise.all(
      addresses.map(async (address): Promise<ProbePort> => {
        if (!offered(address)) return { address, port: null, why: 'not-offered' };
        const port = await this.#listen(address);
        return { address, port, why: port === null ? 'failed' : null };
      }),
    );
  }

  close(): void {
    for (const server of this.#servers) server.close();
    this.#keeper.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #listen(address: string): Promise<number | null> {
    const server = createTcp({ noDelay: true }, (socket) => {
      socket.on('error', () => socket.destroy());
      if (this.#keeper.admit(socket)) this.#tls.emit('connection', socket);
    });
    server.maxConnections = MAX_PROBE_CONNECTIONS;
    this.#servers.push(server);
    return new Promise((resolve) => {
      server.on('error', () => resolve(null));
      server.listen(0, address, () => {
        const bound = server.address();
        resolve(typeof bound === 'object' && bound ? bound.port : null);
      });
    });
  }

  #greet(socket: TLSSocket): void {
    if (this.#sockets.size >= MAX_PROBE_CONNECTIONS) {
      socket.destroy();
      return;
    }
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    const timer = setTimeout(() => socket.destroy(), HOP_HELLO_TIMEOUT_MS);
    socket.once('close', () => clearTimeout(timer));
    let said = Buffer.alloc(0);
    const greet = (chunk: Buffer) => {
      said = Buffer.concat([said, chunk]);
      if (said.length < this.#greeting.length) return;
      socket.off('data', greet);
      const greeting = said.subarray(0, this.#greeting.length);
      if (!timingSafeEqual(greeting, this.#greeting)) {
        socket.destroy();
        return;
      }
      clearTimeout(timer);
      socket.write(probeFrame('ready'));
      answer(socket, said.subarray(this.#greeting.length));
    };
    socket.on('data', greet);
  }
}

/** Echoes and counts until the other side goes. @param early what came behind the greeting */
function answer(socket: TLSSocket, early: Buffer): void {
  const reader = new ProbeFrameReader();
  let burstBytes = 0;
  let receivedBytes = 0;
  const take = ({ kind, payloadBytes }: ProbeFrame) => {
    if (kind === 'ping') {
      socket.write(probeFrame('pong', payloadBytes));
    } else if (kind === 'data') {
      burstBytes += payloadBytes;
    } else if (kind === 'end') {
      socket.write(probeFrame('received', 0, burstBytes));
      burstBytes = 0;
    } else {
      socket.destroy();
    }
  };
  const receive = (chunk: Buffer) => {
    receivedBytes += chunk.length;
    if (receivedBytes > MAX_RECEIVED_BYTES || socket.writableLength > MAX_UNREAD_BYTES) {
      socket.destroy();
      return;
    }
    try {
      for (const frame of reader.push(chunk)) take(frame);
    } catch {
      socket.destroy();
    }
  };
  socket.on('data', receive);
  if (early.length > 0) receive(early);
}

/** Whether an agent that listens at `host` (--host) may listen at an address, too. */
export function isOffered(host: string, address: string): boolean {
  if (host === '0.0.0.0' || host === '::') return true;
  const plain = host === 'localhost' ? '127.0.0.1' : host;
  return plain === address || (isLoopback(plain) && isLoopback(address));
}

function isLoopback(address: string): boolean {
  return (isIPv4(address) && address.startsWith('127.')) || address === '::1';
}
