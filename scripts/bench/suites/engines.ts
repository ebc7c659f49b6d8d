// Suite `engines`: both engines and mlx-lm's own server, through the API that clients use, on the same model and the same
// two cores, in turn within one run; what ranks cost while nobody asks anything, and how long a stream pauses when one of
// them dies or freezes.
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { installEnvironment } from '../../../agent/mlx-distributed/environment.ts';
import { DEFAULT_PLANNING } from '../../../protocol/plan.ts';
import type { Split } from '../../../protocol/ranks.ts';
import { demoModelDir } from '../../cli/package-root.ts';
import { type BenchCluster, bringUp } from '../bench-cluster.ts';
import { takeCores } from '../cores.ts';
import { chatSpeed } from '../engines/chat-load.ts';
import { longestPauseMs } from '../engines/pause.ts';
import { type StockServer, startStockServer } from '../engines/stock-server.ts';
import { type Figure, figure, type SuiteContext } from '../figure.ts';
import { inTurn } from '../in-turn.ts';
import { benchCacheDir } from '../python-env.ts';

const ROUNDS = 3;
const STAGES = 2;
const IDLE_MS = 10_000;
/** Linux counts processor time in hundredths of a second. */
const TICK_MS = 10;

interface Contest {
  name: string;
  cluster: BenchCluster;
  stock: StockServer;
  stockName: string;
  aim: string | null;
}

export async function enginesSuite({ say, rounds = ROUNDS }: SuiteContext): Promise<Figure[]> {
  // beside the benches' own environment, where the tests look for it as well
  const enginesDir = join(dirname(benchCacheDir()), 'engines');
  const { python, versions } = await installEnvironment(enginesDir, say);
  await using cores = await takeCores();
  const modelDir = demoModelDir();
  const place = { python, modelDir, cores: cores.two };
  await using stock = await startStockServer(place, STAGES);
  await using alone = await startStockServer(place, 1);
  const common = { modelDir, stages: STAGES, cores: cores.two, enginesDir };
  const planning = (split: Split) => ({
    ...DEFAULT_PLANNING,
    engine: { choice: 'mlx-distributed' as const, split },
  });
  await using ours = await bringUp(common);
  await using pipeline = await bringUp({ ...common, planning: planning('pipeline') });
  await using tensor = await bringUp({ ...common, planning: planning('tensor') });
  await using single = await bringUp({ ...common, stages: 1, planning: planning('pipeline') });
  const told = `mlx ${versions.mlx}, mlx-lm ${versions['mlx-lm']}; the demo model, ${cores.two.text}`;
  const two = { stock, stockName: "mlx-lm's own server, two pipeline ranks" };
  // what runs beside the rank, agent, controller and client, is on the same cores: those that the other process has
  const one = { stock: alone, stockName: "mlx-lm's own server, one process" };
  const contests: Contest[] = [
    { name: 'MLX Distributed, two pipeline ranks', cluster: pipeline, ...two, aim: '>= 1' },
    { name: 'MLX Distributed, one rank', cluster: single, ...one, aim: '>= 1' },
    { name: 'MLX Distributed, two pipeline ranks', cluster: pipeline, ...one, aim: null },
    { name: 'MLX Distributed, two tensor ranks', cluster: tensor, ...two, aim: null },
    { name: 'node-mlx, two stages', cluster: ours, ...two, aim: null },
  ];
  const figures: Figure[] = [];
  const warm = new Set<StockServer | BenchCluster>();
  for (const contest of contests) {
    // the first answers find nothing computed anywhere; only the first ones of a server
    const { theirs, own } = waysOf(contest, modelDir, 4);
    if (!warm.has(contest.stock)) await theirs();
    if (!warm.has(contest.cluster)) await own();
    warm.add(contest.stock).add(contest.cluster);
    for (const count of [1, 4]) figures.push(await speed(contest, count, { rounds, told, modelDir, say }));
  }
  figures.push(...(await idle(pipeline, told)));
  figures.push(...(await pauses(pipeline, told, say)));
  return figures;
}

/** One load for each of both. The stock server's ranks take a whole core also while nobody asks anything. */
function waysOf({ cluster, stock }: Contest, modelDir: string, count: number) {
  const id = cluster.status().model?.id ?? '';
  return {
    theirs: () => stock.awake(() => chatSpeed(stock.url, modelDir, count)),
    own: () => chatSpeed(cluster.controller.url, id, count),
  };
}

async function speed(
  contest: Contest,
  count: number,
  {
    rounds,
    told,
    modelDir,
    say,
  }: { rounds: number; told: string; modelDir: string; say(line: string): void },
): Promise<Figure> {
  const { name, stockName, aim } = contest;
  const { theirs, own } = waysOf(contest, modelDir, count);
  let last = '';
  const note = (before: number, now: number, round: number) => {
    last = `${now.toFixed(1)} to ${before.toFixed(1)} tokens/s`;
    say(`${name} against ${stockName}, ${count} at once, round ${round}: ${last}`);
  };
  const { ratio } = await inTurn(rounds, () => count, [theirs, own], note);
  return figure({
    suite: 'engines',
    name: `${name} against ${stockName}, ${count === 1 ? '1 request' : `${count} requests at once`}`,
    value: ratio,
    unit: 'times the tokens per second',
    aim,
    compared: `median of ${rounds} rounds, last ${last}; ${told}`,
  });
}

async function idle(cluster: BenchCluster, told: string): Promise<Figure[]> {
  if (process.platform !== 'linux') return [];
  const pids = cluster.status().stages.flatMap(({ pid }) => pid ?? []);
  const before = await Promise.all(pids.map(processorMs));
  await delay(IDLE_MS);
  const after = await Promise.all(pids.map(processorMs));
  const most = Math.max(...after.map((ms, i) => ms - (before[i] ?? 0)));
  return [
    figure({
      suite: 'engines',
      name: 'processor time of the busiest idle rank',
      value: (100 * most) / IDLE_MS,
      unit: '% of a core',
      aim: '<= 1',
      compared: `over ${IDLE_MS / 1000} s; ${told}`,
    }),
  ];
}

/** Processor time of a process since its start. */
async function processorMs(pid: number): Promise<number> {
  const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

async function pauses(cluster: BenchCluster, told: string, say: (line: string) => void): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const rank of [0, 1]) {
    for (const signal of ['SIGKILL', 'SIGSTOP'] as const) {
      const pauseMs = await longestPauseMs(cluster, rank, signal);
      say(`${signal} of rank ${rank} in the middle of a stream: ${(pauseMs / 1000).toFixed(1)} s`);
      figures.push(
        figure({
          suite: 'engines',
          name: `longest pause of a stream: ${signal} of rank ${rank}`,
          value: pauseMs / 1000,
          unit: 's',
          aim: null,
          compared: `two pipeline ranks, the stream goes on with the next token; ${told}`,
        }),
      );
    }
  }
  return figures;
}
