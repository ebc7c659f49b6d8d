// The sockets between stages. A stage listens for the one before it and dials the one after it; both carry frames in
// one direction only, under mutual TLS. A stranger's key, a wrong token or a malformed frame closes that socket and nothing
// else.
import { timingSafeEqual } from 'node:crypto';
import { createServer as createTcp, type Server } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { createServer as createTls, type TLSSocket } from 'node:tls';
import { Doorkeeper } from '../../protocol/doorkeeper.ts';
import type { Credentials, Fingerprint } from '../../protocol/identity.ts';
import {
  HOP_HELLO_TIMEOUT_MS,
  HOP_REFUSED_MS,
  HOP_SILENCE_MS,
  LINK_TIMEOUT_MS,
} from '../../protocol/limits.ts';
import { formatHostPort, type HostPort } from '../../protocol/node.ts';
import { dialTls, peerFingerprint, serverTls } from '../../protocol/tls.ts';
import { SilenceWatch } from '../silence-watch.ts';
import { encodeFrame, type Frame, FrameError, FrameReader } from './frame.ts';

/** An address that answers nothing is given up after this, and dialled again. */
const DIAL_TIMEOUT_MS = 2_000;

/** Replies of some hundred bytes that a neighbour may leave unread. */
const MAX_UNREAD_BYTES = 1 << 20;

/** Announcements behind a cable that was pulled: the loop stops before there are as many, with its steps. */
const MAX_UNSENT_BEATS = 64;

/** Who speaks, and to whom alone. */
export interface HopKeys {
  /** of this node */
  credentials: Credentials;
  /** of the neighbour's node */
  peer: Fingerprint;
}

export interface HopListener {
  /** the neighbour's hop is open */
  onLinked(): void;
  onFrame(frame: Frame): void;
  /** for how long this process itself may be blocked now: what came meanwhile is not read yet */
  blockedMs?(): number;
  /** the neighbour's hop, once linked, is gone */
  onLost(reason: string): void;
  /** a socket that never became the neighbour's was closed */
  onRefused(reason: string): void;
}

/** The receiving end: one neighbour, whoever else knocks is closed. */
export class HopServer {
  readonly #tcp: Server;
  readonly #keeper: Doorkeeper;
  readonly #sockets = new Set<TLSSocket>();
  #neighbour: TLSSocket | undefined;
  #silence: SilenceWatch | undefined;
  #isClosed = false;
  #drop: ((reason: string) => void) | undefined;

  constructor(
    expected: { epoch: number; fromStage: number; hopToken: string },
    { credentials, peer }: HopKeys,
    listener: HopListener,
  ) {
    this.#keeper = new Doorkeeper((message) => listener.onRefused(message));
    const tls = createTls(serverTls(credentials, HOP_HELLO_TIMEOUT_MS));
    tls.on('tlsClientError', (error: NodeJS.ErrnoException, { remoteAddress }) => {
      this.#keeper.note(`a hop from ${remoteAddress} was refused: ${error.code ?? error.message}`);
    });
    tls.on('secureConnection', (socket: TLSSocket) => {
      socket.on('error', () => socket.destroy());
      if (peerFingerprint(socket) !== peer) {
        this.#keeper.note(`a hop from ${socket.remoteAddress} was refused: its key is not the neighbour's`);
        socket.destroy();
        return;
      }
      this.#keeper.vouch(socket);
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
      this.#greet(socket, expected, listener);
    });
    this.#tcp = createTcp({ noDelay: true, keepAlive: true, keepAliveInitialDelay: 1_000 }, (socket) => {
      socket.on('error', () => socket.destroy());
      if (this.#keeper.admit(socket)) tls.emit('connection', socket);
    });
  }

  /** @returns the port that the system chose */
  listen(host: string): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#tcp.once('error', reject);
      this.#tcp.listen(0, host, () => {
        const address = this.#tcp.address();
        resolve(typeof address === 'object' && address ? address.port : 0);
      });
    });
  }

  /** Says something to the neighbour, the other way round; nothing where there is none. Whoever does not read it is lost. */
  reply(frame: Frame): void {
    const socket = this.#neighbour;
    if (!socket || socket.destroyed) return;
    if (socket.writableLength > MAX_UNREAD_BYTES) this.drop('it does not read what it is told');
    else socket.write(encodeFrame(frame));
  }

  /** Gives the neighbour's hop up: it is lost with this reason. */
  drop(reason: string): void {
    this.#drop?.(reason);
  }

  close(): void {
    this.#isClosed = true;
    this.#silence?.stop();
    this.#tcp.close();
    this.#keeper.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #greet(
    socket: TLSSocket,
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
      if (socket === this.#neighbour) return this.#take(frame, listener);
      const wrong = this.#wrongHello(frame, expected);
      if (wrong) return refuse(wrong);
      clearTimeout(timer);
      this.#neighbour = socket;
      // nobody else has business here: strangers end in the system, and never hold a stage up
      this.#tcp.close();
      this.#drop = refuse;
      this.#silence = new SilenceWatch({
        limitMs: HOP_SILENCE_MS,
        ...(listener.blockedMs && { blockedMs: listener.blockedMs }),
        onSilent: (silentMs) => refuse(`nothing came for ${(silentMs / 1000).toFixed(1)} s`),
      });
      return listener.onLinked();
    };
    socket.on('data', (chunk) => {
      // a large frame on its way counts from its first byte on
      if (socket === this.#neighbour) this.#silence?.heard();
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
      if (this.#isClosed) return;
      if (socket === this.#neighbour) {
        this.#silence?.stop();
        listener.onLost(reason);
      } else this.#keeper.note(`a hop from ${socket.remoteAddress} was refused: ${reason}`);
    });
  }

  #take(frame: Frame, listener: HopListener): void {
    this.#silence?.heard(frame.kind === 'beat' ? frame.busyMs : 0);
    if (frame.kind !== 'beat') listener.onFrame(frame);
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
  readonly #socket: TLSSocket;
  #sentBytes = 0;
  /** what the receiver will have been told when it has read all that was sent; a frame ends an announced silence */
  #saidMs = 0;
  #unsentBeats = 0;
  /** written again and again: a frame of one token is mostly the cost of its memory */
  readonly #buffer = Buffer.allocUnsafeSlow(1 << 16);
  #isBufferBusy = false;

  private constructor(socket: TLSSocket) {
    this.#socket = socket;
  }

  /**
   * Dials the next stage, trying again until LINK_TIMEOUT_MS, looks at its key, and says hello.
   * @param onLost called once when the hop is gone after it was open
   * @param from this node's address to dial from; the system chooses when undefined
   * @param signal ends it, be it in the middle of dialling
   * @param onReply what the other side says; stages say nothing
   */
  static async dial(
    next: HostPort,
    hello: { epoch: number; fromStage: number; hopToken: string },
    keys: HopKeys,
    onLost: (reason: string) => void,
    from?: string | undefined,
    signal?: AbortSignal,
    onReply?: (frame: Frame) => void,
  ): Promise<HopClient> {
    const begin = performance.now();
    const deadline = begin + LINK_TIMEOUT_MS;
    for (;;) {
      try {
        const socket = await connect(next, keys, from);
        if (signal?.aborted) socket.destroy();
        signal?.throwIfAborted();
        const hop = new HopClient(socket);
        let reason = 'the other side closed it';
        socket.on('error', (error) => {
          reason = error.message;
        });
        socket.once('close', () => onLost(reason));
        if (onReply) {
          listen(socket, onReply, (why) => {
            reason = why;
          });
        }
        hop.send({ kind: 'hello', ...hello });
        return hop;
      } catch (error) {
        signal?.throwIfAborted();
        // its port was told when it was open: who refuses now is gone
        const isGone = (error as NodeJS.ErrnoException).code === 'ECONNREFUSED';
        if (performance.now() > (isGone ? begin + HOP_REFUSED_MS : deadline)) {
          throw new Error(
            `the next stage at ${formatHostPort(next)} cannot be reached: ${(error as Error).message}`,
          );
        }
        await delay(100, undefined, { ...(signal && { signal }) });
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
    this.#send(frame, () => undefined, onEncoded);
  }

  /** Says that this stage lives. @param busyMs for how long it may be silent from now on */
  beat(epoch: number, busyMs: number): void {
    // what waits to be sent says that it lives as well, once it gets through, but not for how long it will be silent then
    const isNews = busyMs !== this.#saidMs && this.#unsentBeats < MAX_UNSENT_BEATS;
    if (this.#socket.writableLength > 0 && !isNews) return;
    this.#unsentBeats += 1;
    this.#send({ kind: 'beat', epoch, busyMs }, () => {
      this.#unsentBeats -= 1;
    });
  }

  #send(frame: Frame, onSent: () => void, onEncoded?: (bytes: number) => void): void {
    const bytes = encodeFrame(frame, (length) => this.#allocate(length));
    onEncoded?.(bytes.length);
    this.#sentBytes += bytes.length;
    this.#saidMs = frame.kind === 'beat' ? frame.busyMs : 0;
    const isKeptBuffer = bytes.buffer === this.#buffer.buffer;
    if (isKeptBuffer) this.#isBufferBusy = true;
    this.#socket.write(bytes, () => {
      if (isKeptBuffer) this.#isBufferBusy = false;
      onSent();
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

/** Hands on what comes; what is malformed closes the socket. */
function listen(socket: TLSSocket, onReply: (frame: Frame) => void, onWrong: (why: string) => void): void {
  const reader = new FrameReader();
  socket.on('data', (chunk) => {
    try {
      for (const frame of reader.push(chunk)) if (!socket.destroyed) onReply(frame);
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      onWrong(error.message);
      socket.destroy();
    }
  });
}

async function connect(next: HostPort, { credentials, peer }: HopKeys, from: string | undefined) {
  const { socket, fingerprint } = await dialTls(next, credentials, { timeoutMs: DIAL_TIMEOUT_MS, from });
  if (fingerprint !== peer) {
    socket.destroy();
    throw new Error('it has another key than the node of the next stage');
  }
  socket.resume(); // nothing comes back on it, but its end must be seen
  return socket;
}
