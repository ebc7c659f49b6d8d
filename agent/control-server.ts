// Where the controller reaches this node: serves the one that the front door lets in, one connection at a time, checks the
// words and their version, and hands commands on. It knows nothing of stages.
import type { Logger } from 'pino';
import { WebSocket } from 'ws';
import { ControlCommand, type ControlEvent } from '../protocol/control.ts';
import { type ErrorCode, EspalierError } from '../protocol/errors.ts';
import type { MachineFacts } from '../protocol/facts.ts';
import type { Credentials } from '../protocol/identity.ts';
import {
  ALIVE_TIMEOUT_MS,
  HELLO_TIMEOUT_MS,
  LEASE_MS,
  MAX_CONTROL_BACKLOG_BYTES,
} from '../protocol/limits.ts';
import type { NodeFacts } from '../protocol/node.ts';
import type { ProbeCommand } from '../protocol/probe.ts';
import type { EngineState } from '../protocol/ranks.ts';
import { answers } from '../protocol/socket-alive.ts';
import type { HeldStage } from '../protocol/stage.ts';
import type { StoreCommand } from '../protocol/store.ts';
import { PROTOCOL_VERSION, versionMismatch } from '../protocol/version.ts';
import { type ControlTrust, type FileDoor, FrontDoor, refuse } from './front-door.ts';
import { SilenceWatch } from './silence-watch.ts';

type Hello = ControlCommand & { kind: 'hello' };
export type DraftCommand = ControlCommand & { kind: `draft-${string}` };
export type StageCommand = Exclude<
  ControlCommand,
  Hello | { kind: 'unpair' | 'check' | 'install-engine' } | DraftCommand | ProbeCommand | StoreCommand
>;

export interface ControlHandler {
  /** @param localHost the address of this node by which the controller reached it */
  onCommand(command: StageCommand, localHost: string): void;
  /** @param localHost as onCommand's */
  onDraft?(command: DraftCommand, localHost: string): void;
  onProbe(command: ProbeCommand): void;
  /** this node is to check itself and tell what it found */
  onCheck(): void;
  onStore?(command: StoreCommand): void;
  /** a controller is there, be it another one than before */
  onConnect(): void;
  onInstallEngine?(): void;
  /** the controller is gone */
  onDisconnect(): void;
  /** what is loaded, for the hello */
  stage(): HeldStage | null;
  /** the draft that runs here, for the same */
  draft?(): HeldStage | null;
  /** what this machine is, for the hello; undefined until it was gathered */
  facts?(): MachineFacts | undefined;
  /** this node's model files, for those who may read them */
  readonly files?: FileDoor;
  /** what it has of MLX Distributed */
  engine?(): EngineState | undefined;
}

/** Who is connected: which controller, and which process of it. */
interface Seat {
  socket: WebSocket;
  id: string;
  bootId: string;
  /** of its pings */
  silence: SilenceWatch;
}

export class ControlServer {
  readonly #node: NodeFacts;
  readonly #cluster: string;
  readonly #log: Logger;
  readonly #handler: ControlHandler;
  readonly #trust: ControlTrust;
  readonly #door: FrontDoor;
  #controller: Seat | undefined;

  constructor(
    node: NodeFacts,
    cluster: string,
    credentials: Credentials,
    trust: ControlTrust,
    log: Logger,
    handler: ControlHandler,
  ) {
    this.#node = node;
    this.#cluster = cluster;
    this.#trust = trust;
    this.#log = log;
    this.#handler = handler;
    const greet = (socket: WebSocket, localHost: string) => this.#greet(socket, localHost);
    this.#door = new FrontDoor(credentials, trust, log, greet, handler.files);
  }

  /** @returns the port; @throws EspalierError port_taken, bad_option */
  listen(host: string, port: number): Promise<number> {
    return this.#door.listen(host, port);
  }

  /** Tells the controller; without one the event is of no use to anybody. */
  send(event: ControlEvent): void {
    const socket = this.#controller?.socket;
    if (socket?.readyState !== WebSocket.OPEN) return;
    socket.send(JSON.stringify(event));
    if (socket.bufferedAmount <= MAX_CONTROL_BACKLOG_BYTES) return;
    this.#log.warn('the controller does not read: its connection is closed');
    socket.terminate();
  }

  get hasController(): boolean {
    return this.#controller !== undefined;
  }

  /** Ends the connection of a controller that is not to be obeyed any more. */
  dismiss(): void {
    this.#door.dismissControllers();
  }

  close(): void {
    this.#controller?.silence.stop();
    this.#door.close();
  }

  #greet(socket: WebSocket, localHost: string): void {
    const timer = setTimeout(() => deny('invalid_request', 'no hello came in time'), HELLO_TIMEOUT_MS);
    const deny = (code: ErrorCode, message: string) => {
      this.#log.warn({ code }, `a control connection was refused: ${message}`);
      refuse(socket, code, message);
    };
    socket.on('error', (error) => this.#log.warn({ error: error.message }, 'control connection'));
    socket.on('close', () => {
      clearTimeout(timer);
      if (this.#controller?.socket !== socket) return;
      this.#controller.silence.stop();
      this.#controller = undefined;
      this.#log.warn('the controller is gone');
      this.#handler.onDisconnect();
    });
    socket.on('message', (data) => {
      const command = parse(data.toString());
      if (!command)
        return deny(
          'invalid_request',
          `this agent (protocol ${PROTOCOL_VERSION}) does not know that message`,
        );
      if (command.kind === 'hello') {
        clearTimeout(timer);
        this.#wrongController(socket, command)
          .then((wrong) => {
            if (wrong) deny(wrong.code, wrong.message);
            else this.#accept(socket, command);
          })
          .catch((error) => this.#log.error(error, 'a hello'));
        return undefined;
      }
      if (this.#controller?.socket !== socket)
        return deny('invalid_request', 'it did not begin with a hello');
      if (command.kind === 'unpair') return this.#trust.forget();
      if (command.kind === 'check') return this.#handler.onCheck();
      if (command.kind === 'install-engine') return this.#handler.onInstallEngine?.();
      if (isDraft(command)) return this.#handler.onDraft?.(command, localHost);
      if (isStore(command)) return this.#handler.onStore?.(command);
      return isProbe(command) ? this.#handler.onProbe(command) : this.#handler.onCommand(command, localHost);
    });
  }

  async #wrongController(socket: WebSocket, hello: Hello): Promise<EspalierError | undefined> {
    const mismatch = versionMismatch(
      { who: `node ${this.#node.name}`, protocol: PROTOCOL_VERSION },
      { who: 'the controller', protocol: hello.protocol },
    );
    if (mismatch) return new EspalierError('protocol_version', mismatch);
    if (hello.cluster !== this.#cluster) {
      const message = `node ${this.#node.name} belongs to the cluster "${this.#cluster}", not to "${hello.cluster}"`;
      return new EspalierError('other_cluster', message);
    }
    const present = this.#controller;
    if (!present || present.socket === socket || present.bootId === hello.controllerBootId) return undefined;
    // its next start, whose old connection is a leftover; or a copy of it, and then the old one still answers
    if (!(await answers(present.socket, ALIVE_TIMEOUT_MS))) return undefined;
    return new EspalierError(
      'node_busy',
      `node ${this.#node.name} serves another controller with the same key (${present.id}): ` +
        'its ESPALIER_HOME was copied, and both run',
    );
  }

  #accept(socket: WebSocket, { controllerId: id, controllerBootId: bootId }: Hello): void {
    if (socket.readyState !== WebSocket.OPEN) return;
    const before = this.#controller;
    before?.silence.stop();
    const silence = new SilenceWatch({
      limitMs: LEASE_MS,
      onSilent: (silentMs) => {
        this.#log.warn(`the controller said nothing for ${(silentMs / 1000).toFixed(1)} s`);
        socket.terminate();
      },
    });
    for (const sign of ['ping', 'pong', 'message']) socket.on(sign, () => silence.heard());
    this.#controller = { socket, id, bootId, silence };
    if (before && before.socket !== socket) before.socket.terminate();
    this.#log.info({ controller: id }, 'a controller connected');
    this.#handler.onConnect();
    const facts = this.#handler.facts?.() ?? null;
    const stage = this.#handler.stage();
    const draft = this.#handler.draft?.() ?? null;
    const engine = this.#handler.engine?.();
    const node = this.#node;
    const told = { stage, draft, facts, ...(engine && { engine }) };
    this.send({ kind: 'hello', protocol: PROTOCOL_VERSION, node, ...told });
  }
}

type AfterHello = StageCommand | DraftCommand | ProbeCommand | StoreCommand;

function isDraft(command: AfterHello): command is DraftCommand {
  return command.kind.startsWith('draft-');
}

function isStore(command: AfterHello): command is StoreCommand {
  return command.kind.startsWith('store-');
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
