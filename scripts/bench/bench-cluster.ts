// A cluster of its own for a bench: agents, controller and client in this process, one worker process a stage, each on
// the core that the bench gives it.
import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type RunningAgent, startAgent } from '../../agent/main.ts';
import { type RunningController, startController } from '../../controller/main.ts';
import type { Planning } from '../../controller/planning.ts';
import { PLAN_PATH, PlanReport } from '../../protocol/plan-report.ts';
import type { SpeculationMode } from '../../protocol/speculation.ts';
import type { ClusterStatus, StageStatus } from '../../protocol/status.ts';
import { pairHomes } from '../pair-homes.ts';
import { type CoreSet, pin } from './cores.ts';
import type { Generation } from './generation.ts';

/** The stages of a small model load in a second or two. */
const UP_TIMEOUT_MS = 60_000;
/** The longest, 32,768 tokens, takes a quarter of an hour; one that stands still is ended by the controller itself. */
const GENERATION_TIMEOUT_MS = 3_600_000;

export interface BenchClusterOptions {
  modelDir: string;
  stages: number;
  /** where its processes run; everywhere when left out */
  cores?: CoreSet;
  planning?: Planning;
  /** where engines are installed, for plans on MLX Distributed */
  enginesDir?: string;
  /** off when left out: what a figure compares should be the only difference */
  speculation?: SpeculationMode;
  /** what its stage workers run; the usual program when left out */
  workerProgram?: string;
}

export interface BenchCluster extends AsyncDisposable {
  readonly controller: RunningController;
  /** the controller's ESPALIER_HOME */
  readonly home: string;
  /** lets this process run on the cluster's cores: to be called before it is asked anything */
  takeTurn(): Promise<void>;
  status(): ClusterStatus;
  /** what the controller says of the plan in force */
  planReport(): Promise<PlanReport>;
  /**
   * Generates exactly `tokens` greedy tokens.
   * @param onToken called with the index of each token as it comes
   * @throws EspalierError as a client of the cluster gets it
   */
  generate(promptIds: number[], tokens: number, onToken?: (index: number) => void): Promise<Generation>;
  /** The same for several prompts at once. */
  generateAll(prompts: readonly number[][], tokens: number): Promise<Generation[]>;
}

/** @throws EspalierError of the model folder, Error when the cluster does not serve in time */
export async function bringUp({
  modelDir,
  stages,
  cores,
  planning,
  enginesDir,
  speculation = 'off',
  workerProgram,
}: BenchClusterOptions): Promise<BenchCluster> {
  // agents warn when their controller goes, and here it goes at each end
  process.env.ESPALIER_LOG ??= 'error';
  await using parts = new AsyncDisposableStack();
  const home = await mkdtemp(join(tmpdir(), 'espalier-bench-'));
  parts.defer(() => rm(home, { recursive: true, force: true }));
  // also when the bench is stopped in the middle
  process.once('exit', () => rmSync(home, { recursive: true, force: true }));
  const common = {
    host: '127.0.0.1',
    port: 0,
    bonjourInterface: '127.0.0.1',
    cluster: `bench-${randomBytes(6).toString('hex')}`,
  };
  const controllerHome = join(home, 'controller');
  const homes = Array.from({ length: stages }, (_, i) => ({
    name: `node-${i + 1}`,
    home: join(home, `agent-${i + 1}`),
  }));
  await pairHomes(controllerHome, homes);
  const agents: RunningAgent[] = [];
  for (const own of homes) {
    const agent = await startAgent({ ...common, ...own, enginesDir, workerProgram });
    parts.defer(() => agent.stop());
    agents.push(agent);
  }
  const controller = await startController({
    ...common,
    modelDir,
    nodeCount: stages,
    planning,
    speculation,
    agents: agents.map(({ port }) => ({ host: common.host, port })),
    home: controllerHome,
  });
  parts.defer(() => controller.stop());
  await untilServing(controller);
  if (cores) await pinStages(controller.status().stages, cores);
  // this process is a part of every cluster of the bench: it goes to the cores of the one that is measured
  const takeTurn = async () => {
    if (cores) await pin(process.pid, cores);
  };
  const all = parts.move();
  return {
    controller,
    home: controllerHome,
    takeTurn,
    status: () => controller.status(),
    async planReport() {
      const response = await fetch(`${controller.url}${PLAN_PATH}`);
      return PlanReport.parse(await response.json());
    },
    async generate(promptIds, tokens, onToken) {
      await takeTurn();
      return generate(controller, promptIds, tokens, onToken);
    },
    async generateAll(prompts, tokens) {
      await takeTurn();
      return Promise.all(prompts.map((promptIds) => generate(controller, promptIds, tokens)));
    },
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

async function untilServing(controller: RunningController): Promise<void> {
  const deadline = performance.now() + UP_TIMEOUT_MS;
  for (;;) {
    const { state, reason } = controller.status();
    if (state === 'serving') return;
    if (performance.now() > deadline) throw new Error(`the bench's cluster did not come up: ${reason}`);
    await delay(50);
  }
}

/** Each worker on one core: the first stage on the first, the next on the next, and around again. */
async function pinStages(stages: readonly StageStatus[], { ids, text }: CoreSet): Promise<void> {
  for (const { index, pid } of stages) {
    const core = ids[index % ids.length];
    if (core !== undefined && pid !== null) await pin(pid, { ids: [core], text });
  }
}

async function generate(
  { source }: RunningController,
  promptIds: number[],
  maxTokens: number,
  onToken?: (index: number) => void,
): Promise<Generation> {
  const request = { promptIds, maxTokens, stopIds: [], sampling: { temperature: 0, topP: 1, seed: 0 } };
  const tokens: number[] = [];
  const atMs: number[] = [];
  const begin = performance.now();
  for await (const { index, token } of source.generate(request, AbortSignal.timeout(GENERATION_TIMEOUT_MS))) {
    atMs.push(performance.now() - begin);
    if (token !== null) tokens.push(token);
    onToken?.(index);
  }
  if (tokens.length !== maxTokens) throw new Error(`${tokens.length} of ${maxTokens} tokens came`);
  return { tokens, atMs };
}
