// A real cluster on this machine: agents and a controller in this process, one worker process a stage, real sockets and
// real Bonjour on loopback.
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AgentOptions, type RunningAgent, startAgent } from '../../agent/main.ts';
import { type RunningController, startController } from '../../controller/main.ts';
import type { Planning } from '../../controller/planning.ts';
import { credentialHeaders } from '../../protocol/credential.ts';
import type { GenerateRequest } from '../../protocol/generate.ts';
import type { SpeculationMode } from '../../protocol/speculation.ts';
import { pairHomes } from '../../scripts/pair-homes.ts';
import { demoModelDir } from './paths.ts';
import { GREEDY } from './sampling.ts';
import { until } from './until.ts';

/** Of a network for documentation (RFC 5737): no machine has it. */
const NO_INTERFACE = '192.0.2.1';

export interface TestClusterOptions {
  nodes: number;
  modelDir?: string;
  /** Bonjour speaks on an interface that is not there, as if the network dropped multicast */
  byAddress?: boolean;
  /** the controller's home, which outlives the cluster; otherwise one of its own */
  controllerHome?: string;
  /** nobody is paired yet */
  unpaired?: boolean;
  /** the most that weights and KV may take on each node */
  memoryLimitBytes?: number;
  /** each agent has a store of its own below this folder, and fetches as these say */
  stores?: { folder: string } & Pick<AgentOptions, 'fetchTimes'>;
  planning?: Planning;
  /** where the agents' engines are installed */
  enginesDir?: string;
  /** how tokens are guessed ahead; as users have it when left out */
  speculation?: SpeculationMode;
  /** do not wait until it serves */
  asItIs?: boolean;
}

interface Starters {
  controller(): Promise<RunningController>;
  agent(index: number): Promise<RunningAgent>;
}

export class TestCluster {
  controller: RunningController;
  readonly agents: RunningAgent[];
  /** of the controller, and of each agent */
  readonly controllerHome: string;
  readonly agentHomes: readonly string[];
  readonly #home: string;
  readonly #start: Starters;

  private constructor(
    controller: RunningController,
    start: Starters,
    agents: RunningAgent[],
    homes: { controller: string; agents: string[]; all: string },
  ) {
    this.controllerHome = homes.controller;
    this.agentHomes = homes.agents;
    this.controller = controller;
    this.#start = start;
    this.agents = agents;
    this.#home = homes.all;
  }

  static async up(options: TestClusterOptions): Promise<TestCluster> {
    process.env.ESPALIER_LOG ??= 'silent';
    const home = mkdtempSync(join(tmpdir(), 'espalier-test-'));
    const cluster = `test-${randomBytes(6).toString('hex')}`;
    const bonjourInterface = options.byAddress ? NO_INTERFACE : '127.0.0.1';
    const common = { host: '127.0.0.1', port: 0, bonjourInterface };
    const controllerHome = options.controllerHome ?? join(home, 'controller');
    const homes = Array.from({ length: options.nodes }, (_, i) => ({
      name: `node-${i + 1}`,
      home: join(home, `agent-${i + 1}`),
    }));
    if (!options.unpaired) await pairHomes(controllerHome, homes);
    const agents: RunningAgent[] = [];
    const { memoryLimitBytes, stores, enginesDir } = options;
    const storeOf = (name: string) =>
      stores && { storeDir: join(stores.folder, name), fetchTimes: stores.fetchTimes, diskReserveBytes: 0 };
    const startNode = (own: { name: string; home: string }) =>
      startAgent({ ...common, ...own, ...storeOf(own.name), cluster, memoryLimitBytes, enginesDir });
    for (const own of homes) agents.push(await startNode(own));
    const start = () =>
      startController({
        ...common,
        modelDir: options.modelDir ?? demoModelDir,
        nodeCount: options.nodes,
        planning: options.planning,
        speculation: options.speculation,
        agents: options.byAddress ? agents.map(({ port }) => ({ host: '127.0.0.1', port })) : [],
        cluster,
        home: controllerHome,
        resumesModel: true,
        ...(stores && { diskReserveBytes: 0 }),
      });
    const again = {
      controller: start,
      agent: (index: number) => startNode(homes[index] as (typeof homes)[0]),
    };
    const running = new TestCluster(await start(), again, agents, {
      controller: controllerHome,
      agents: homes.map((one) => one.home),
      all: home,
    });
    if (!options.asItIs) await running.untilServing();
    return running;
  }

  get url(): string {
    return this.controller.url;
  }

  /** Posts JSON to the API as the controller's own user would. */
  post(path: string, body: unknown): Promise<Response> {
    const authority = credentialHeaders(this.url, { ESPALIER_HOME: this.controllerHome });
    const headers = { ...authority, 'content-type': 'application/json' };
    return fetch(`${this.url}${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
  }

  async untilServing(): Promise<void> {
    await until(() => this.controller.status().state === 'serving', 'a serving cluster');
  }

  /** The tokens that the cluster answers, without the stop token. */
  async generate(
    promptIds: number[],
    options: Partial<GenerateRequest> = {},
    signal?: AbortSignal,
  ): Promise<number[]> {
    const request = { promptIds, maxTokens: 400, stopIds: [1], sampling: GREEDY, ...options };
    const tokens: number[] = [];
    for await (const { token } of this.controller.source.generate(
      request,
      signal ?? new AbortController().signal,
    )) {
      if (token !== null) tokens.push(token);
    }
    return tokens;
  }

  /** A node that went is back, with the same home. */
  async restartAgent(index: number): Promise<void> {
    this.agents[index] = await this.#start.agent(index);
  }

  /** As if its machine had been switched off and on: nobody is told good-bye. */
  async restartController(): Promise<void> {
    await this.controller.stop();
    this.controller = await this.#start.controller();
    await this.untilServing();
  }

  async down(): Promise<void> {
    await this.controller.stop();
    for (const agent of this.agents) await agent.stop();
    rmSync(this.#home, { recursive: true, force: true });
  }
}
