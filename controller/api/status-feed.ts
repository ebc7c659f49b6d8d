// The WebSocket that streams the cluster's status: a snapshot at once, then one each interval, which a subscriber may choose
// (`?intervalMs=250`); no foreign web pages.
// It must not know what a status holds.
import type { IncomingHttpHeaders, IncomingMessage, Server } from 'node:http';
import { isIP } from 'node:net';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { asEspalierError, EspalierError } from '../../protocol/errors.ts';
import {
  MAX_STATUS_BACKLOG_BYTES,
  MAX_STATUS_CLIENTS,
  MAX_STATUS_INPUT_BYTES,
  MAX_STATUS_INTERVAL_MS,
  MIN_STATUS_INTERVAL_MS,
} from '../../protocol/limits.ts';
import { type ClusterStatus, STATUS_PATH } from '../../protocol/status.ts';
import type { Access } from './access.ts';
import { endWithError } from './raw-error.ts';

/** What pages of this controller offer; those that have a key add `espalier-key.KEY`. */
const SUBPROTOCOL = 'espalier';
const KEY_SUBPROTOCOL = /(?:^|,)\s*espalier-key\.([^\s,]+)/;

/** RFC 6455: the endpoint is going away. */
const GOING_AWAY = 1001;

/** Streams the status to WebSockets on the server's upgrade event. */
export class StatusFeed {
  readonly #status: () => ClusterStatus;
  readonly #sockets = new WebSocketServer({
    noServer: true,
    maxPayload: MAX_STATUS_INPUT_BYTES,
    perMessageDeflate: false,
    // a browser that offers some wants one of them; a key among them is none
    handleProtocols: (offered) => (offered.has(SUBPROTOCOL) ? SUBPROTOCOL : false),
  });
  readonly #intervalMs: number;
  readonly #access: Access | undefined;
  /** one timer an interval: its subscribers get the same text */
  readonly #groups = new Map<number, { clients: Set<WebSocket>; timer: NodeJS.Timeout }>();

  constructor(server: Server, status: () => ClusterStatus, intervalMs: number, access: Access | undefined) {
    this.#access = access;
    this.#status = status;
    this.#intervalMs = intervalMs;
    server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head));
  }

  /** Says goodbye to all subscribers; those that do not answer within `graceMs` are cut off. */
  async close(graceMs: number): Promise<void> {
    for (const { timer } of this.#groups.values()) clearInterval(timer);
    const closed = [...this.#sockets.clients].map((socket) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(() => socket.terminate(), graceMs);
      socket.once('close', () => {
        clearTimeout(timer);
        resolve();
      });
      socket.close(GOING_AWAY, 'the controller is stopping');
      return promise;
    });
    this.#sockets.close();
    await Promise.all(closed);
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => socket.destroy());
    const refusal = this.#refusalOrFault(request);
    if (refusal) endWithError(socket, refusal);
    else
      this.#sockets.handleUpgrade(request, socket, head, (client) =>
        this.#add(client, this.#intervalOf(request)),
      );
  }

  /** Outside of the server's own handlers nobody else catches what goes wrong, like a damaged file of keys. */
  #refusalOrFault(request: IncomingMessage): EspalierError | undefined {
    try {
      return this.#refusal(request);
    } catch (error) {
      return asEspalierError(error);
    }
  }

  #refusal({ url = '', headers }: IncomingMessage): EspalierError | undefined {
    const [path = ''] = url.split('?');
    if (path !== STATUS_PATH) {
      return new EspalierError(
        'not_found',
        `There is no WebSocket at ${path.slice(0, 200)}: it is at ${STATUS_PATH}.`,
      );
    }
    const refusal = this.#access?.refusal(withKey(headers), 'client');
    if (refusal) return refusal;
    const isAllowed = this.#access?.allowOrigins.includes(headers.origin ?? '') ?? false;
    // who had to show a key is no foreign page, by whichever name it was reached
    const hadToShow = this.#access !== undefined && this.#access.refusal({}, 'client') !== undefined;
    if (!isAllowed && isForeignOrigin(headers.origin, headers.host, hadToShow)) {
      return new EspalierError(
        'foreign_origin',
        `Pages of ${headers.origin?.slice(0, 200)} may not read the status.`,
      );
    }
    if (this.#sockets.clients.size >= MAX_STATUS_CLIENTS) {
      return new EspalierError('queue_full', `${MAX_STATUS_CLIENTS} programs read the status already.`);
    }
    return undefined;
  }

  /** What a subscriber asks for, within the limits; what is no number is as if nothing were said. */
  #intervalOf({ url = '' }: IncomingMessage): number {
    const asked = Number(new URL(url, 'http://localhost').searchParams.get('intervalMs') ?? Number.NaN);
    if (!Number.isFinite(asked)) return this.#intervalMs;
    return Math.min(Math.max(Math.round(asked), MIN_STATUS_INTERVAL_MS), MAX_STATUS_INTERVAL_MS);
  }

  #add(client: WebSocket, intervalMs: number): void {
    // A message that is too long is an error here; ws then closes the socket by itself.
    client.on('error', () => undefined);
    client.on('close', () => this.#remove(client, intervalMs));
    client.send(JSON.stringify(this.#status()));
    let group = this.#groups.get(intervalMs);
    if (!group) {
      const clients = new Set<WebSocket>();
      group = { clients, timer: setInterval(() => this.#broadcast(clients), intervalMs) };
      this.#groups.set(intervalMs, group);
    }
    group.clients.add(client);
  }

  #remove(client: WebSocket, intervalMs: number): void {
    const group = this.#groups.get(intervalMs);
    group?.clients.delete(client);
    if (!group || group.clients.size > 0) return;
    clearInterval(group.timer);
    this.#groups.delete(intervalMs);
  }

  #broadcast(clients: ReadonlySet<WebSocket>): void {
    const message = JSON.stringify(this.#status());
    for (const client of clients) {
      if (client.bufferedAmount > MAX_STATUS_BACKLOG_BYTES) client.terminate();
      else client.send(message);
    }
  }
}

/** Browsers let a page add no header to a WebSocket, but a key among its subprotocols. */
function withKey(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const key = KEY_SUBPROTOCOL.exec(headers['sec-websocket-protocol'] ?? '')?.[1];
  if (key === undefined || headers.authorization !== undefined) return headers;
  return { ...headers, authorization: `Bearer ${key}` };
}

/**
 * Whether a browser asks on behalf of another site's page: browsers let any page open a WebSocket to 127.0.0.1.
 * Names other than localhost are foreign too, since a site can point its own name at this machine.
 */
function isForeignOrigin(origin: string | undefined, host: string | undefined, isAnyName: boolean): boolean {
  if (origin === undefined) return false;
  const from = URL.parse(origin);
  if (!from || from.host !== host) return true;
  const name = from.hostname.replace(/^\[|\]$/g, '');
  return !isAnyName && name !== 'localhost' && isIP(name) === 0;
}
