// The sockets between stages. A stage listens for the one before it and dials the one after it; both carry frames in
// one direction only. A stranger, a wrong token or a malformed frame closes that socket and nothing else.
import { timingSafeEqual } from 'node:crypto';
import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { HOP_HELLO_TIMEOUT_MS, LINK_TIMEOUT_MS } from '../../protocol/limits.ts';
import { formatHostPort, type HostPort } from '../../protocol/node.ts';
import { encodeFrame, type Frame, FrameError, FrameReader } from './frame.ts';

/** Sockets that have not said hello yet. */
const MAX_STRANGERS = 8;

export interface HopListener {
  /** the neighbour's hop is open */
  onLinked(): void;
  onFrame(frame: Frame): void;
  /** the neighbour's hop, once linked, is gone */
  onLost(reason: string): void;
  /** a socket that never became the neighbour's was closed */
  onRefused(reason: string): void;
}

/** The receiving end: one neighbour, whoever else knocks is closed. */
export class HopServer {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #neighbour: Socket | undefined;

  constructor(expected: { epoch: number; fromStage: number; hopToken: string }, listener: HopListener) {
    this.#server = createServer(
      { noDelay: true, keepAlive: true, keepAliveInitialDelay: 1_000 },
      (socket) => {
        if (this.#sockets.size > MAX_STRANGERS) return void socket.destroy();
        this.#sockets.add(socket);
        socket.once('close', () => this.#sockets.delete(socket));
        this.#greet(socket, expected, listener);
      },
    );
  }

  /** @returns the port that the system chose */
  listen(host: string): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(0, host, () => {
        const address = this.#server.address();
        resolve(typeof address === 'object' && address ? address.port : 0);
      });
    });
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #greet(
    socket: Socket,
    expected: { epoch: number; fromStage: number; hopToken: string },
    listener: HopListener,
  ): void {
    const reader = new FrameReader({ mustGreet: true });
    const timer = setTimeout(() => refuse('it said no hello in time'), HOP_HELLO_TIMEOUT_MS);
    let reason = 'the other side closed it';
    const refuse = (why: string) => {
      reason = why;
      socket.destroy();
    };
    const take = (frame: Frame) => {
      if (socket === this.#neighbour) return listener.onFrame(frame);
      const wrong = this.#wrongHello(frame, expected);
      if (wrong) return refuse(wrong);
      clearTimeout(timer);
      this.#neighbour = socket;
      return listener.onLinked();
    };
    socket.on('data', (chunk) => {
      try {
        for (const frame of reader.push(chunk)) {
          if (socket.destroyed) return;
          take(frame);
        }
      } catch (error) {
        if (!(error instanceof FrameError)) throw error;
        refuse(error.message);
      }
    });
    socket.on('error', (error) => {
      reason = error.message;
    });
    socket.once('close', () => {
      clearTimeout(timer);
      if (socket === this.#neighbour) listener.onLost(reason);
      else
        listener.onRefused(
          `a hop from ${socket.remoteAddress ?? 'an unknown address'} was refused: ${reason}`,
        );
    });
  }

  #wrongHello(
    frame: Frame,
    expected: { epoch: number; fromStage: number; hopToken: string },
  ): string | undefined {
    if (frame.kind !== 'hello') return 'it did not begin with a hello';
    const ours = Buffer.from(expected.hopToken);
    const theirs = Buffer.from(frame.hopToken);
    if (ours.length !== theirs.length || !timingSafeEqual(ours, theirs))
      return 'its token is not of this deployment';
    if (frame.epoch !== expected.epoch)
      return `it is of epoch ${frame.epoch}, this stage of ${expected.epoch}`;
    if (frame.fromStage !== expected.fromStage)
      return `it is from stage ${frame.fromStage}, not ${expected.fromStage}`;
    if (this.#neighbour) return 'the neighbour is linked already';
    return undefined;
  }
}

/** The sending end. */
export class HopClient {
  readonly #socket: Socket;
  #sentBytes = 0;
  /** written again and again: a frame of one token is mostly the cost of its memory */
  readonly #buffer = Buffer.allocUnsafeSlow(1 << 16);
  #isBufferBusy = false;

  private constructor(socket: Socket) {
    this.#socket = socket;
  }

  /**
   * Dials the next stage, trying again until LINK_TIMEOUT_MS, and says hello.
   * @param onLost called once when the hop is gone after it was open
   * @param from this node's address to dial from; the system chooses when undefined
   */
  static async dial(
    next: HostPort,
    hello: { epoch: number; fromStage: number; hopToken: string },
    onLost: (reason: string) => void,
    from?: string | undefined,
  ): Promise<HopClient> {
    const deadline = performance.now() + LINK_TIMEOUT_MS;
    for (;;) {
      try {
        const socket = await connect(next, from);
        const hop = new HopClient(socket);
        let reason = 'the other side closed it';
        socket.on('error', (error) => {
          reason = error.message;
        });
        socket.once('close', () => onLost(reason));
        hop.send({ kind: 'hello', ...hello });
        return hop;
      } catch (error) {
        if (performance.now() > deadline) {
          throw new Error(
            `the next stage at ${formatHostPort(next)} cannot be reached: ${(error as Error).message}`,
          );
        }
        await delay(100);
      }
    }
  }

  get sentBytes(): number {
    return this.#sentBytes;
  }

  /**
   * Queues a frame. What is queued is bounded: no more steps are in flight than there are stages.
   * @param onEncoded called with its size when it is encoded and nothing of it is sent yet
   */
  send(frame: Frame, onEncoded?: (bytes: number) => void): void {
    const bytes = encodeFrame(frame, (length) => this.#allocate(length));
    onEncoded?.(bytes.length);
    this.#sentBytes += bytes.length;
    if (bytes.buffer !== this.#buffer.buffer) {
      this.#socket.write(bytes);
      return;
    }
    this.#isBufferBusy = true;
    this.#socket.write(bytes, () => {
      this.#isBufferBusy = false;
    });
  }

  /** The kept buffer while nobody reads it, a new one otherwise. */
  #allocate(length: number): Buffer {
    const isFree = !this.#isBufferBusy && length <= this.#buffer.length;
    return isFree ? this.#buffer.subarray(0, length) : Buffer.allocUnsafe(length);
  }

  close(): void {
    this.#socket.removeAllListeners('close');
    this.#socket.destroy();
  }
}

function connect({ host, port }: HostPort, from: string | undefined): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createConnection({
      host,
      port,
      ...(from !== undefined && { localAddress: from }),
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: 1_000,
    });
    socket.setTimeout(2_000, () => socket.destroy(new Error('no answer within 2 s')));
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.setTimeout(0);
      socket.off('error', reject);
      socket.resume(); // nothing comes back on it, but its end must be seen
      resolve(socket);
    });
  });
}
