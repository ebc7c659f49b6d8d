// A controller whose every word is the test's: deploys ranges on agents, links them as told, and collects what they say.
// It plans nothing and repairs nothing.
import { once } from 'node:events';
import { join } from 'node:path';
import { WebSocket } from 'ws';
import { openAgentSocket } from '../../controller/agent-socket.ts';
import { type ControlCommand, ControlEvent } from '../../protocol/control.ts';
import type { GenerateRequest, TokenEvent } from '../../protocol/generate.ts';
import { type Fingerprint, type Identity, loadIdentity } from '../../protocol/identity.ts';
import { HEARTBEAT_MS, HELLO_TIMEOUT_MS, MAX_CONTROL_MESSAGE_BYTES } from '../../protocol/limits.ts';
import { openModelFolder } from '../../protocol/model-folder.ts';
import type { HostPort } from '../../protocol/node.ts';
import { CONTROL_SOCKET_PATH } from '../../protocol/pairing.ts';
import type { LayerRange } from '../../protocol/plan.ts';
import type { StageSpec } from '../../protocol/stage.ts';
import { dialTls } from '../../protocol/tls.ts';
import { PROTOCOL_VERSION } from '../../protocol/version.ts';
import { pairHomes } from '../../scripts/pair-homes.ts';
import { demoModelDir } from './paths.ts';
import { GREEDY } from './sampling.ts';
import { until } from './until.ts';

type Event<K extends ControlEvent['kind']> = ControlEvent & { kind: K };

/** Where a stage's next one is reached instead of its own address. */
export type Detour = (fromStage: number, to: HostPort) => HostPort;

export interface Answer {
  tokens: number[];
  indices: number[];
  finish: TokenEvent['finish'];
  cachedTokens: number | undefined;
  failure: string | undefined;
}

/** A controller and nodes that know each other's keys. */
export interface HandKeys {
  controller: Identity;
  /** of each node, in the order of their ports */
  nodes: Fingerprint[];
}

/** Pairs nodes by the homes that they will have. */
export async function handKeys(home: string, nodeHomes: readonly string[]): Promise<HandKeys> {
  const own = join(home, 'hand');
  await pairHomes(
    own,
    nodeHomes.map((nodeHome, i) => ({ home: nodeHome, name: `node-${i}` })),
  );
  const nodes = await Promise.all(nodeHomes.map((nodeHome) => loadIdentity(nodeHome, 'agent')));
  return {
    controller: await loadIdentity(own, 'controller'),
    nodes: nodes.map(({ fingerprint }) => fingerprint),
  };
}

export class HandController {
  readonly events: { node: number; event: ControlEvent }[] = [];
  readonly #sockets: WebSocket[] = [];
  readonly #pings: NodeJS.Timeout;
  readonly #keys: HandKeys;
  #nodes: number[] = [];
  epoch = 0;

  private constructor(keys: HandKeys) {
    this.#keys = keys;
    this.#pings = setInterval(() => {
      for (const socket of this.#sockets) if (socket.readyState === WebSocket.OPEN) socket.ping();
    }, HEARTBEAT_MS);
  }

  /** Connects to agents and says hello. */
  static async connect(keys: HandKeys, ports: number[], bootId = 'first'): Promise<HandController> {
    const controller = new HandController(keys);
    for (const [node, port] of ports.entries()) {
      const address = { host: '127.0.0.1', port };
      const { socket: tls } = await dialTls(address, keys.controller, { timeoutMs: HELLO_TIMEOUT_MS });
      const socket = openAgentSocket(tls, CONTROL_SOCKET_PATH, MAX_CONTROL_MESSAGE_BYTES);
      controller.#sockets.push(socket);
      socket.on('error', () => undefined);
      socket.on('message', (data) => {
        controller.events.push({ node, event: ControlEvent.parse(JSON.parse(data.toString())) });
      });
      await once(socket, 'open');
      controller.send(node, {
        kind: 'hello',
        protocol: PROTOCOL_VERSION,
        controllerId: keys.controller.id,
        controllerBootId: bootId,
        cluster: 'hand',
        espalierVersion: '0',
      });
      await controller.heard(node, (event) => event.kind === 'hello' || event.kind === 'refused');
    }
    return controller;
  }

  send(node: number, command: ControlCommand): void {
    this.#sockets[node]?.send(JSON.stringify(command));
  }

  /** The last thing of this kind that a node said of the present epoch. */
  last<K extends ControlEvent['kind']>(node: number, kind: K): Event<K> | undefined {
    const found = this.events.findLast(
      (said) => said.node === node && said.event.kind === kind && isOf(said.event, this.epoch),
    );
    return found?.event as Event<K> | undefined;
  }

  /** Waits until a node has said something of this kind, or such a thing. */
  async heard(node: number, what: (event: ControlEvent) => boolean, timeoutMs?: number): Promise<void> {
    const isSaid = () => this.events.some((said) => said.node === node && what(said.event));
    await until(isSaid, `a word of node ${node}`, timeoutMs);
  }

  /**
   * A new epoch: one stage on each of these nodes, in this order.
   * @returns what they said when they had loaded
   */
  async deploy(
    ranges: LayerRange[],
    nodes: number[] = ranges.map((_, i) => i),
    options: Partial<StageSpec> = {},
  ): Promise<Event<'stage-loaded'>[]> {
    this.epoch += 1;
    this.#nodes = nodes;
    const modelFingerprint = (await openModelFolder(demoModelDir)).fingerprint;
    for (const [index, range] of ranges.entries()) {
      const spec: StageSpec = {
        epoch: this.epoch,
        index,
        stageCount: ranges.length,
        range,
        modelDir: demoModelDir,
        modelFingerprint,
        contextTokens: 4096,
        maxSessions: 8,
        kvTokens: 1 << 14,
        prefillChunkTokens: 64,
        maxChunkScores: 1e9,
        hopToken: `the secret of epoch ${this.epoch}`,
        neighbours: {
          before: this.#keyOf(nodes.at(index - 1)),
          after: this.#keyOf(nodes[(index + 1) % nodes.length]),
        },
        ...options,
      };
      this.send(nodes[index] as number, { kind: 'deploy', spec });
    }
    const isThere = (node: number) => this.last(node, 'stage-loaded') ?? this.last(node, 'stage-failed');
    await until(() => nodes.every(isThere), `the stages of epoch ${this.epoch}`);
    return nodes.map((node) => {
      const failed = this.last(node, 'stage-failed');
      if (failed) throw new Error(`node ${node}: ${failed.message}`);
      return this.last(node, 'stage-loaded') as Event<'stage-loaded'>;
    });
  }

  #keyOf(node: number | undefined): Fingerprint {
    return this.#keys.nodes[node ?? -1] as Fingerprint;
  }

  /** Links the stages of the present epoch. */
  async link({ keepsKv = false, detour = (_, to) => to }: { keepsKv?: boolean; detour?: Detour } = {}) {
    const nodes = this.#nodes;
    for (const [index, node] of nodes.entries()) {
      const next = this.last(nodes[(index + 1) % nodes.length] as number, 'stage-loaded');
      if (!next) throw new Error('the next stage is not loaded');
      this.send(node, { kind: 'link', epoch: this.epoch, next: detour(index, next.hop), keepsKv });
    }
    await until(() => nodes.every((node) => this.last(node, 'stage-linked')), `the links of ${this.epoch}`);
  }

  ask(requestId: string, promptIds: number[], options: Partial<GenerateRequest> = {}): void {
    const request = { requestId, promptIds, maxTokens: 400, stopIds: [1], sampling: GREEDY, ...options };
    this.send(this.#nodes[0] as number, { kind: 'generate', epoch: this.epoch, request, serial: 1 });
  }

  /** What came of a request in the present epoch. */
  answer(requestId: string): Answer {
    const events = this.events.flatMap(({ event }) =>
      event.kind === 'tokens' && event.epoch === this.epoch
        ? event.tokens.filter((token) => token.requestId === requestId)
        : [],
    );
    const failures = this.events.flatMap(({ event }) =>
      event.kind === 'request-failed' && isOf(event, this.epoch) && event.failure.requestId === requestId
        ? event.failure.code
        : [],
    );
    return {
      tokens: events.flatMap(({ token }) => token ?? []),
      indices: events.map(({ index }) => index),
      finish: events.at(-1)?.finish ?? null,
      cachedTokens: events[0]?.cachedTokens,
      failure: failures[0],
    };
  }

  /** Waits for so many tokens of a request, or its end. */
  async answered(requestId: string, count = Number.POSITIVE_INFINITY): Promise<Answer> {
    const isEnough = () => {
      const { tokens, finish, failure } = this.answer(requestId);
      return tokens.length >= count || finish !== null || failure !== undefined;
    };
    await until(isEnough, `tokens of ${requestId}`);
    return this.answer(requestId);
  }

  /** Is gone from one moment to the next. */
  vanish(): void {
    clearInterval(this.#pings);
    for (const socket of this.#sockets) socket.terminate();
  }
}

function isOf(event: ControlEvent, epoch: number): boolean {
  return !('epoch' in event) || event.epoch === epoch;
}
