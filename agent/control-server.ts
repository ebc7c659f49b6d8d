// Where the controller reaches this node: a WebSocket server that serves one controller at a time, checks the words
// and their version, and hands commands on. It knows nothing of stages.
import { createServer } from 'node:http';
import type { Logger } from 'pino';
import { WebSocket, WebSocketServer } from 'ws';
import { ControlCommand, type ControlEvent } from '../protocol/control.ts';
import { EspalierError } from '../protocol/errors.ts';
import type { MachineFacts } from '../protocol/facts.ts';
import { HELLO_TIMEOUT_MS, MAX_CONTROL_MESSAGE_BYTES } from '../protocol/limits.ts';
import type { NodeFacts } from '../protocol/node.ts';
import type { ProbeCommand } from '../protocol/probe.ts';
import { PROTOCOL_VERSION, versionMismatch } from '../protocol/version.ts';

/** Connections at once: one controller, and strangers until they are refused. */
const MAX_CONNECTIONS = 16;

export type StageCommand = Exclude<ControlCommand, { kind: 'hello' } | ProbeCommand>;

export interface ControlHandler {
  /** @param localHost the address of this node by which the controller reached it */
  onCommand(command: StageCommand, localHost: string): void;
  onProbe(command: ProbeCommand): void;
  /** the controller is gone */
  onDisconnect(): void;
  /** what this machine is, for the hello; undefined until it was gathered */
  facts?(): MachineFacts | undefined;
}

export class ControlServer {
  readonly #node: NodeFacts;
  readonly #cluster: string;
  readonly #log: Logger;
  readonly #handler: ControlHandler;
  readonly #http = createServer((_request, response) => {
    response.writeHead(426, { connection: 'close' }).end('This is the control port of an Espalier agent.\n');
  });
  readonly #sockets = new WebSocketServer({ noServer: true, maxPayload: MAX_CONTROL_MESSAGE_BYTES });
  #controller: { socket: WebSocket; id: string } | undefined;

  constructor(node: NodeFacts, cluster: string, log: Logger, handler: ControlHandler) {
    this.#node = node;
    this.#cluster = cluster;
    this.#log = log;
    this.#handler = handler;
    this.#http.maxConnections = MAX_CONNECTIONS;
    this.#http.headersTimeout = HELLO_TIMEOUT_MS;
    this.#http.on('upgrade', (request, socket, head) => {
      // a browser names the page it comes from: no web page has business here
      if (request.headers.origin !== undefined) {
        socket.destroy();
        return;
      }
      request.socket.setNoDelay(true);
      this.#sockets.handleUpgrade(request, socket, head, (client) =>
        this.#greet(client, request.socket.localAddress ?? '127.0.0.1'),
      );
    });
  }

  /** @returns the port; @throws EspalierError port_taken */
  listen(host: string, port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#http.once('error', (error: NodeJS.ErrnoException) => {
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
      this.#http.listen(port, host, () => {
        const address = this.#http.address();
        resolve(typeof address === 'object' && address ? address.port : port);
      });
    });
  }

  /** Tells the controller; without one the event is of no use to anybody. */
  send(event: ControlEvent): void {
    if (this.#controller?.socket.readyState === WebSocket.OPEN)
      this.#controller.socket.send(JSON.stringify(event));
  }

  get hasController(): boolean {
    return this.#controller !== undefined;
  }

  close(): void {
    for (const socket of this.#sockets.clients) socket.terminate();
    this.#http.close();
    this.#http.closeAllConnections();
  }

  #greet(socket: WebSocket, localHost: string): void {
    const timer = setTimeout(() => refuse('invalid_request', 'no hello came in time'), HELLO_TIMEOUT_MS);
    const refuse = (code: string, message: string) => {
      this.#log.warn({ code }, `a control connection was refused: ${message}`);
      socket.removeAllListeners('message');
      socket.send(JSON.stringify({ kind: 'refused', code, message } satisfies ControlEvent));
      socket.close();
      setTimeout(() => socket.terminate(), 1_000).unref();
    };
    socket.on('error', (error) => this.#log.warn({ error: error.message }, 'control connection'));
    socket.on('close', () => {
      clearTimeout(timer);
      if (this.#controller?.socket !== socket) return;
      this.#controller = undefined;
      this.#log.warn('the controller is gone');
      this.#handler.onDisconnect();
    });
    socket.on('message', (data) => {
      const command = parse(data.toString());
      if (!command)
        return refuse(
          'invalid_request',
          `this agent (protocol ${PROTOCOL_VERSION}) does not know that message`,
        );
      if (command.kind === 'hello') {
        const wrong = this.#wrongController(command);
        if (wrong) return refuse(wrong.code, wrong.message);
        clearTimeout(timer);
        return this.#accept(socket, command.controllerId);
      }
      if (this.#controller?.socket !== socket)
        return refuse('invalid_request', 'it did not begin with a hello');
      return isProbe(command) ? this.#handler.onProbe(command) : this.#handler.onCommand(command, localHost);
    });
  }

  #wrongController(hello: ControlCommand & { kind: 'hello' }): EspalierError | undefined {
    const mismatch = versionMismatch(
      { who: `node ${this.#node.name}`, protocol: PROTOCOL_VERSION },
      { who: 'the controller', protocol: hello.protocol },
    );
    if (mismatch) return new EspalierError('protocol_version', mismatch);
    if (hello.cluster !== this.#cluster) {
      const message = `node ${this.#node.name} belongs to the cluster "${this.#cluster}", not to "${hello.cluster}"`;
      return new EspalierError('other_cluster', message);
    }
    if (this.#controller && this.#controller.id !== hello.controllerId) {
      return new EspalierError(
        'node_busy',
        `node ${this.#node.name} serves another controller (${this.#controller.id})`,
      );
    }
    return undefined;
  }

  #accept(socket: WebSocket, id: string): void {
    const before = this.#controller?.socket;
    this.#controller = { socket, id };
    // the same controller again: its old connection is a leftover of a restart or a broken network
    if (before && before !== socket) before.terminate();
    this.#log.info({ controller: id }, 'a controller connected');
    const facts = this.#handler.facts?.() ?? null;
    this.send({ kind: 'hello', protocol: PROTOCOL_VERSION, node: this.#node, facts });
  }
}

function isProbe(command: StageCommand | ProbeCommand): command is ProbeCommand {
  return command.kind.startsWith('probe-');
}

function parse(text: string): ControlCommand | undefined {
  try {
    return ControlCommand.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
