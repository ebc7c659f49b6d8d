// A controller whose every word is the test's: deploys ranges on agents, links them as told, and collects what they say.
// It plans nothing and repairs nothing.
import { once } from 'node:events';
import { WebSocket } from 'ws';
import { type ControlCommand, ControlEvent } from '../../protocol/control.ts';
import type { GenerateRequest, TokenEvent } from '../../protocol/generate.ts';
import { HEARTBEAT_MS } from '../../protocol/limits.ts';
import { openModelFolder } from '../../protocol/model-folder.ts';
import type { HostPort } from '../../protocol/node.ts';
import type { LayerRange } from '../../protocol/plan.ts';
import type { StageSpec } from '../../protocol/stage.ts';
import { PROTOCOL_VERSION } from '../../protocol/version.ts';
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

export class HandController {
  readonly events: { node: number; event: ControlEvent }[] = [];
  readonly #sockets: WebSocket[] = [];
  readonly #pings: NodeJS.Timeout;
  #nodes: number[] = [];
  epoch = 0;

  private constructor() {
    this.#pings = setInterval(() => {
      for (const socket of this.#sockets) if (socket.readyState === WebSocket.OPEN) socket.ping();
    }, HEARTBEAT_MS);
  }

  /** Connects to agents and says hello. */
  static async connect(ports: number[], bootId = 'first', cluster = 'hand'): Promise<HandController> {
    const controller = new HandController();
    for (const [node, port] of ports.entries()) {
      const socket = new WebSocket(`ws://127.0.0.1:${port}`, { perMessageDeflate: false });
      controller.#sockets.push(socket);
      socket.on('error', () => undefined);
      socket.on('message', (data) => {
        controller.events.push({ node, event: ControlEvent.parse(JSON.parse(data.toString())) });
      });
      await once(socket, 'open');
      controller.send(node, {
        kind: 'hello',
        protocol: PROTOCOL_VERSION,
        controllerId: 'hand',
        controllerBootId: bootId,
        cluster,
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
    this.send(this.#nodes[0] as number, { kind: 'generate', epoch: this.epoch, request });
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
