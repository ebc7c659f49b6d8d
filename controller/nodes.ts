// The control connections to the agents: dials what discovery suggests, looks at its key, says hello to paired nodes, keeps
// each node's lease, and passes typed words both ways. It decides nothing.
import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import { WebSocket } from 'ws';
import type { ControlCommand } from '../protocol/control.ts';
import type { MachineFacts } from '../protocol/facts.ts';
import { type Fingerprint, type Identity, idOf } from '../protocol/identity.ts';
import {
  ALIVE_TIMEOUT_MS,
  HEARTBEAT_MS,
  HELLO_TIMEOUT_MS,
  LEASE_MS,
  MAX_COMMAND_BACKLOG_BYTES,
  MAX_CONTROL_MESSAGE_BYTES,
} from '../protocol/limits.ts';
import { formatHostPort, type HostPort, type NodeFacts } from '../protocol/node.ts';
import { CONTROL_SOCKET_PATH } from '../protocol/pairing.ts';
import { answers } from '../protocol/socket-alive.ts';
import type { HeldStage } from '../protocol/stage.ts';
import { type Dialled, dialTls, NoTls } from '../protocol/tls.ts';
import { ESPALIER_VERSION, PROTOCOL_VERSION } from '../protocol/version.ts';
import type { Candidate } from './adverts.ts';
import { openAgentSocket } from './agent-socket.ts';
import { passOn, readWord, unknownMessage, type WordsListener } from './agent-words.ts';
import { DialQueue } from './dial-queue.ts';
import type { Pairing } from './trust/pairing.ts';

/** A candidate that did not answer or was refused is tried again after this long. */
const RETRY_MS = 1_000;
const REFUSED_RETRY_MS = 10_000;
/** A dismissed node's connection may take this long to close in good order. */
const GOODBYE_MS = 500;

export interface NodesListener extends WordsListener {
  /** @param held what it has loaded @param draft what it drafts with */
  onConnected(
    facts: NodeFacts,
    address: HostPort,
    foundBy: Candidate['foundBy'],
    held: HeldStage | null,
    draft: HeldStage | null,
  ): void;
  /** what its machine is, whenever that changes */
  onMachine(nodeId: string, machine: MachineFacts): void;
  /** @param isSilent its lease is over, rather than its connection closed */
  onLost(nodeId: string, reason: string, isSilent: boolean): void;
  /** a node that is there but will not work with this controller */
  onRefused(address: HostPort, message: string): void;
}

interface Connection {
  socket: WebSocket;
  facts: NodeFacts;
  fingerprint: Fingerprint;
  machine?: MachineFacts;
  lastHeard: number;
}

type Outcome = 'connected' | 'refused' | 'unreachable';

export class Nodes {
  readonly #identity: Identity;
  /** of this start */
  readonly #bootId = randomUUID();
  readonly #pairing: Pairing;
  readonly #cluster: string;
  readonly #listener: NodesListener;
  readonly #log: Logger;
  readonly #connections = new Map<string, Connection>();
  readonly #dials: DialQueue;
  /** which start of which node answered at a listed address */
  readonly #answeredAt = new Map<string, string>();
  #heartbeat: NodeJS.Timeout | undefined;
  #lastBeat = 0;
  #stopped = false;

  constructor(identity: Identity, pairing: Pairing, cluster: string, listener: NodesListener, log: Logger) {
    this.#identity = identity;
    this.#pairing = pairing;
    this.#cluster = cluster;
    this.#listener = listener;
    this.#log = log;
    this.#dials = new DialQueue(REFUSED_RETRY_MS, log);
  }

  /** Connects to a candidate unless it is connected, being dialled or resting. */
  consider(candidate: Candidate): void {
    if (this.#stopped) return;
    this.#heartbeat ??= setInterval(() => this.#beat(), HEARTBEAT_MS);
    if (this.#dials.isResting(candidate.key) || this.#isConnected(candidate)) return;
    const { nodeId, foundBy } = candidate;
    const isOwn = foundBy === 'address' || this.#pairing.fingerprintOf(nodeId ?? '') !== undefined;
    this.#dials.dial(candidate.key, isOwn, () => this.#dial(candidate));
  }

  /** Candidates that are remembered. */
  get candidateCount(): number {
    return this.#dials.size;
  }

  send(nodeId: string, command: ControlCommand): void {
    const connection = this.#connections.get(nodeId);
    if (connection?.socket.readyState !== WebSocket.OPEN) return;
    // who takes nothing of it is as good as gone, and its lease will say so
    if (connection.socket.bufferedAmount <= MAX_COMMAND_BACKLOG_BYTES)
      connection.socket.send(JSON.stringify(command));
    else connection.socket.terminate();
  }

  /** Of a connected node's key. */
  fingerprintOf(nodeId: string): Fingerprint | undefined {
    return this.#connections.get(nodeId)?.fingerprint;
  }

  /** Ends a node's connection for good; what it says after this is not heard. @param word the last one to it */
  dismiss(nodeId: string, reason: string, word: ControlCommand): void {
    const connection = this.#connections.get(nodeId);
    if (!connection) return;
    this.send(nodeId, word);
    // it does not come back by itself: nobody waits for that
    this.#lost(connection, reason, true);
    connection.socket.close();
    setTimeout(() => connection.socket.terminate(), GOODBYE_MS).unref();
  }

  /** What rests is tried again at once. */
  hurry(): void {
    this.#dials.hurry();
  }

  stop(): void {
    this.#stopped = true;
    clearInterval(this.#heartbeat);
    for (const { socket } of this.#connections.values()) socket.terminate();
  }

  #isConnected(candidate: Candidate): boolean {
    if (candidate.nodeId !== undefined) {
      const connection = this.#connections.get(candidate.nodeId);
      return connection !== undefined && candidate.key === `${candidate.nodeId}/${connection.facts.bootId}`;
    }
    // the same node may be connected by another of its addresses
    const start = this.#answeredAt.get(candidate.key);
    return [...this.#connections.values()].some(({ facts }) => startOf(facts) === start);
  }

  /** @returns how long the candidate rests before it may be dialled again */
  async #dial(candidate: Candidate): Promise<number> {
    for (const address of candidate.addresses) {
      const outcome = await this.#meet(address, candidate);
      if (outcome === 'connected') return RETRY_MS;
      if (outcome === 'refused') return REFUSED_RETRY_MS;
    }
    return RETRY_MS;
  }

  /** Looks who is there; with a paired node it connects, with others it pairs, where it can. */
  async #meet(address: HostPort, candidate: Candidate): Promise<Outcome> {
    for (;;) {
      const dialled = await this.#reach(address);
      if (typeof dialled === 'string') return dialled;
      const { socket: tls, fingerprint } = dialled;
      const impostor = this.#pairing.impostor(candidate.nodeId, fingerprint);
      if (impostor !== undefined) {
        tls.destroy();
        this.#listener.onRefused(address, impostor);
        return 'refused';
      }
      if (this.#pairing.isPaired(fingerprint)) {
        if (!(await this.#isThereAlready(fingerprint, address, candidate)))
          return this.#connect(dialled, address, candidate.foundBy);
        tls.destroy();
        return 'connected';
      }
      try {
        if (!(await this.#pairing.meet(dialled, address))) return 'refused';
      } catch (error) {
        this.#listener.onRefused(address, (error as Error).message);
        return 'refused';
      }
    }
  }

  /** A listed address may be another one of a node that is connected: a second connection would take the first one's place. */
  async #isThereAlready(fingerprint: Fingerprint, address: HostPort, candidate: Candidate): Promise<boolean> {
    const present = this.#connections.get(idOf(fingerprint));
    // what Bonjour finds anew is another start of it
    if (!present || candidate.nodeId !== undefined) return false;
    if (!(await answers(present.socket, ALIVE_TIMEOUT_MS))) return false;
    this.#answeredAt.set(formatHostPort(address), startOf(present.facts));
    return true;
  }

  async #reach(address: HostPort): Promise<Dialled | 'refused' | 'unreachable'> {
    try {
      return await dialTls(address, this.#identity, { timeoutMs: HELLO_TIMEOUT_MS });
    } catch (error) {
      if (!(error instanceof NoTls)) return 'unreachable';
      this.#listener.onRefused(address, error.message);
      return 'refused';
    }
  }

  #connect(
    { socket: tls, fingerprint }: Dialled,
    address: HostPort,
    foundBy: Candidate['foundBy'],
  ): Promise<Outcome> {
    return new Promise((resolve) => {
      const socket = openAgentSocket(tls, CONTROL_SOCKET_PATH, MAX_CONTROL_MESSAGE_BYTES);
      let connection: Connection | undefined;
      let lastError = 'the connection was closed';
      const timer = setTimeout(() => socket.terminate(), 2 * HELLO_TIMEOUT_MS);
      const refuse = (message: string) => {
        this.#listener.onRefused(address, message);
        resolve('refused');
        socket.close();
      };
      socket.on('open', () => {
        const hello: ControlCommand = {
          kind: 'hello',
          protocol: PROTOCOL_VERSION,
          controllerId: this.#identity.id,
          controllerBootId: this.#bootId,
          cluster: this.#cluster,
          espalierVersion: ESPALIER_VERSION,
        };
        socket.send(JSON.stringify(hello));
      });
      socket.on('pong', () => {
        if (connection) connection.lastHeard = performance.now();
      });
      socket.on('error', (error) => {
        lastError = error.message;
      });
      socket.on('close', () => {
        clearTimeout(timer);
        resolve('unreachable');
        if (connection) this.#lost(connection, lastError, false);
      });
      socket.on('message', (data) => {
        const event = readWord(data.toString());
        if (!event) return refuse(unknownMessage(data.toString()));
        if (event.kind === 'refused') {
          if (event.code === 'not_paired') this.#pairing.stray(fingerprint);
          return refuse(event.message);
        }
        if (event.kind === 'hello') {
          clearTimeout(timer);
          if (event.node.id !== idOf(fingerprint))
            return refuse(
              `the node says that it is ${event.node.id}, but its key is that of ${idOf(fingerprint)}`,
            );
          void this.#twin(event.node).then((twin) => {
            if (twin !== undefined) return refuse(twin);
            // unpaired, or gone, while it said hello
            if (!this.#pairing.isPaired(fingerprint)) return refuse('it was unpaired');
            if (socket.readyState !== WebSocket.OPEN) return resolve('unreachable');
            connection = { socket, facts: event.node, fingerprint, lastHeard: performance.now() };
            this.#answeredAt.set(formatHostPort(address), startOf(event.node));
            this.#adopt(connection, address, foundBy, event.stage, event.draft ?? null);
            this.#takeMachine(connection, event.facts ?? null);
            if (event.engine) this.#listener.onEngine(event.node.id, event.engine);
            return resolve('connected');
          });
          return undefined;
        }
        // one that was dismissed is not heard
        if (connection && this.#connections.get(connection.facts.id) === connection) {
          connection.lastHeard = performance.now();
          if (event.kind === 'facts') {
            if (!event.facts) this.#log.warn({ node: connection.facts.name }, 'its facts cannot be read');
            this.#takeMachine(connection, event.facts);
          } else if (event.kind === 'load') this.#takeLoad(connection, event.load);
          else passOn(this.#listener, connection.facts.id, event);
        }
      });
    });
  }

  /** Why a node must not take the place of one that is connected: both live, so the home was copied. */
  async #twin({ id, bootId, name }: NodeFacts): Promise<string | undefined> {
    const before = this.#connections.get(id);
    if (!before || before.facts.bootId === bootId) return undefined;
    // its next start, whose old connection is a leftover: then the old one answers no more
    if (!(await answers(before.socket, ALIVE_TIMEOUT_MS))) return undefined;
    return (
      `${name} and ${before.facts.name} (connected already) have the same key: one ESPALIER_HOME was copied to two machines. ` +
      'On one of them stop the agent, remove agent.pem from it, start again and pair'
    );
  }

  #adopt(
    connection: Connection,
    address: HostPort,
    foundBy: Candidate['foundBy'],
    held: HeldStage | null,
    draft: HeldStage | null,
  ): void {
    const { id } = connection.facts;
    const before = this.#connections.get(id);
    this.#connections.set(id, connection);
    before?.socket.terminate();
    this.#listener.onConnected(connection.facts, address, foundBy, held, draft);
  }

  /** Facts that cannot be read come as null: what was known before still holds. */
  #takeMachine(connection: Connection, machine: MachineFacts | null): void {
    const { id } = connection.facts;
    if (!machine || this.#connections.get(id) !== connection) return;
    connection.machine = machine;
    this.#listener.onMachine(id, machine);
  }

  #takeLoad(connection: Connection, load: MachineFacts['load'] | null): void {
    if (load && connection.machine) this.#takeMachine(connection, { ...connection.machine, load });
  }

  #lost(connection: Connection, reason: string, isSilent: boolean): void {
    const { id } = connection.facts;
    if (this.#connections.get(id) !== connection) return; // replaced by a newer one
    this.#connections.delete(id);
    if (!this.#stopped) this.#listener.onLost(id, reason, isSilent);
  }

  #beat(): void {
    const now = performance.now();
    // this process itself slept: what the nodes said meanwhile is not read yet
    const hasSlept = now - this.#lastBeat > 2 * HEARTBEAT_MS;
    this.#lastBeat = now;
    for (const connection of this.#connections.values()) {
      if (hasSlept) connection.lastHeard = now;
      if (now - connection.lastHeard > LEASE_MS) {
        this.#lost(connection, `silent for ${LEASE_MS / 1000} s`, true);
        connection.socket.terminate();
      } else {
        connection.socket.ping();
      }
    }
  }
}

function startOf(facts: NodeFacts): string {
  return `${facts.id}/${facts.bootId}`;
}
