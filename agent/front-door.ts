// The one port of an agent: mutual TLS, and behind it WebSockets. Its controller is let in by its key; while there is none,
// strangers may pair; everybody else is told why not. It must not know what a controller says.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer as createHttps } from 'node:https';
import { createServer as createTcp } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import type { Logger } from 'pino';
import { type WebSocket, WebSocketServer } from 'ws';
import type { ControlEvent } from '../protocol/control.ts';
import { Doorkeeper } from '../protocol/doorkeeper.ts';
import { type ErrorCode, EspalierError } from '../protocol/errors.ts';
import type { Credentials, Fingerprint } from '../protocol/identity.ts';
import {
  MAX_CONTROL_MESSAGE_BYTES,
  MAX_PAIRING_WORD_BYTES,
  MAX_STRANGERS,
  STRANGER_TIMEOUT_MS,
} from '../protocol/limits.ts';
import { PAIRING_SOCKET_PATH } from '../protocol/pairing.ts';
import { peerFingerprint, serverTls } from '../protocol/tls.ts';
import type { Stranger } from './trust/pairing-door.ts';

/** The strangers that the doorkeeper lets wait, who pairs, and the controller with an old connection of its own. */
const MAX_CONNECTIONS = 2 * MAX_STRANGERS;
/** Of a request's head: a WebSocket upgrade takes 200. */
const MAX_HEADER_BYTES = 4_096;
/** A connection that was refused has this long to read why. */
const REFUSED_MS = 1_000;

/** Who may do what, as `agent/trust` knows it. */
export interface ControlTrust {
  readonly isPaired: boolean;
  isController(fingerprint: Fingerprint | undefined): boolean;
  refusal(fingerprint: Fingerprint | undefined): EspalierError;
  greet(stranger: Stranger): Promise<void>;
  /** the controller lets this node go */
  forget(): void;
}

/** The files that this node gives, and to whom besides its controller. */
export interface FileDoor {
  mayRead(fingerprint: Fingerprint | undefined): boolean;
  serve(request: IncomingMessage, response: ServerResponse): void;
}

export class FrontDoor {
  readonly #trust: ControlTrust;
  readonly #onController: (socket: WebSocket, localHost: string) => void;
  readonly #keeper: Doorkeeper;
  readonly #https: ReturnType<typeof createHttps>;
  readonly #tcp = createTcp({ noDelay: true, keepAlive: true, keepAliveInitialDelay: 1_000 });
  readonly #controllers = new WebSocketServer({ noServer: true, maxPayload: MAX_CONTROL_MESSAGE_BYTES });
  readonly #strangers = new WebSocketServer({ noServer: true, maxPayload: MAX_PAIRING_WORD_BYTES });

  /**
   * @param onController gets each connection of the controller, and the address of this node by which it came
   * @param files for its controller, and for those that the controller has named
   */
  constructor(
    credentials: Credentials,
    trust: ControlTrust,
    log: Logger,
    onController: (socket: WebSocket, localHost: string) => void,
    files?: FileDoor,
  ) {
    const mayRead = (fingerprint: Fingerprint | undefined) =>
      trust.isController(fingerprint) || files?.mayRead(fingerprint) === true;
    this.#trust = trust;
    this.#onController = onController;
    this.#keeper = new Doorkeeper((message) => log.warn(message));
    const options = { ...serverTls(credentials, STRANGER_TIMEOUT_MS), maxHeaderSize: MAX_HEADER_BYTES };
    this.#https = createHttps(options, (request, response) => {
      if (files && mayRead(peerFingerprint(request.socket as TLSSocket))) files.serve(request, response);
      else
        response
          .writeHead(426, { connection: 'close' })
          .end('This is the control port of an Espalier agent.\n');
    });
    this.#https.on('secureConnection', (socket: TLSSocket) => {
      if (mayRead(peerFingerprint(socket))) this.#keeper.vouch(socket);
    });
    this.#https.on('tlsClientError', (error, { remoteAddress }) => {
      this.#keeper.note(noHandshake(error, remoteAddress));
    });
    this.#https.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head));
    this.#tcp.maxConnections = MAX_CONNECTIONS;
    this.#tcp.on('connection', (socket) => {
      socket.on('error', () => socket.destroy());
      if (this.#keeper.admit(socket)) this.#https.emit('connection', socket);
    });
  }

  /** @returns the port; @throws EspalierError port_taken, bad_option */
  listen(host: string, port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#tcp.once('error', (error: NodeJS.ErrnoException) => {
        const taken = `port ${port} on ${host} is taken: choose another with --port, or 0 for any`;
        if (error.code === 'EADDRINUSE') reject(new EspalierError('port_taken', taken));
        else
          reject(
            new EspalierError(
              'bad_option',
              `--host ${host}: this machine cannot listen there (${error.code})`,
            ),
          );
      });
      this.#tcp.listen(port, host, () => {
        const address = this.#tcp.address();
        resolve(typeof address === 'object' && address ? address.port : port);
      });
    });
  }

  /** Ends every connection of the controller. */
  dismissControllers(): void {
    for (const socket of this.#controllers.clients) socket.terminate();
  }

  close(): void {
    this.dismissControllers();
    for (const socket of this.#strangers.clients) socket.terminate();
    this.#keeper.close();
    this.#tcp.close();
    this.#https.closeAllConnections();
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const tls = request.socket as TLSSocket;
    const fingerprint = peerFingerprint(tls);
    const wantsToPair = request.url === PAIRING_SOCKET_PATH;
    // a browser names the page it comes from: no web page has business here
    if (request.headers.origin !== undefined) {
      socket.destroy();
    } else if (this.#trust.isController(fingerprint) && !wantsToPair) {
      this.#controllers.handleUpgrade(request, socket, head, (client) =>
        this.#onController(client, plainAddress(tls.localAddress)),
      );
    } else {
      this.#strangers.handleUpgrade(request, socket, head, (client) =>
        this.#meet(client, tls, fingerprint, wantsToPair),
      );
    }
  }

  #meet(socket: WebSocket, tls: TLSSocket, fingerprint: Fingerprint | undefined, wantsToPair: boolean): void {
    const address = plainAddress(tls.remoteAddress);
    // its own controller does not know it any more: it was unpaired there while it was away
    if (wantsToPair && this.#trust.isController(fingerprint)) this.#trust.forget();
    if (wantsToPair && fingerprint !== undefined && !this.#trust.isPaired) {
      this.#keeper.vouch(tls); // the conversation has limits of its own
      void this.#trust.greet({
        socket,
        tls,
        fingerprint,
        address,
        note: (message) => this.#keeper.note(message),
      });
      return;
    }
    const { code, message } = this.#trust.refusal(fingerprint);
    this.#keeper.note(`a connection from ${address} was refused: ${message}`);
    socket.on('error', () => undefined);
    refuse(socket, code, message);
  }
}

/** Says why not, and closes. */
export function refuse(socket: WebSocket, code: ErrorCode, message: string): void {
  socket.removeAllListeners('message');
  socket.send(JSON.stringify({ kind: 'refused', code, message } satisfies ControlEvent));
  socket.close();
  setTimeout(() => socket.terminate(), REFUSED_MS).unref();
}

/** What a stranger said instead of TLS 1.3. A controller of protocol 3 or older begins with HTTP. */
function noHandshake({ code, message }: NodeJS.ErrnoException, address: string | undefined): string {
  const who = `a connection from ${plainAddress(address)}`;
  if (code === 'ERR_SSL_HTTP_REQUEST')
    return `${who} spoke HTTP without TLS: if that is an Espalier controller, upgrade it`;
  return `${who} did not get as far as saying who it is: ${code ?? message}`;
}

/** IPv4 addresses that come in by an IPv6 socket are IPv4 addresses. */
function plainAddress(address: string | undefined): string {
  return address?.replace(/^::ffff:/, '') ?? '127.0.0.1';
}
