// A cluster under load and random faults for a while: no answer may be wrong, cut or lost, and nothing may grow. The same
// seed gives the same faults.
import { setTimeout as delay } from 'node:timers/promises';
import { type Fault, faults } from './faults.ts';
import { API } from './lab-cluster.ts';
import { type Checked, Load } from './load.ts';
import { type Taken, taken, withEnvironment } from './processes.ts';
import type { Scene } from './scene.ts';

const STREAMS = 8;
const TIMES = { frozenMs: 8_000, slowMs: 5_000, flapMs: 4_000 };
/** Between a fault that is over and the next one. */
const REST_MS = { least: 1_000, most: 8_000 };

export interface SoakResult {
  faults: string[];
  answers: number;
  wrong: readonly Checked[];
  longestPauseMs: number;
  /** of the controller and the agents that lived through it all, at the first look after the start and at the end */
  grown: { who: string; before: Taken; after: Taken }[];
  /** processes of the cluster that are left when it has ended */
  orphans: number;
}

export interface SoakOptions {
  scene: Scene;
  durationMs: number;
  seed: number;
  referenceFile: string;
  /** faults that lose packets are left out */
  withoutLoss: boolean;
  say(line: string): void;
}

/** Runs it and ends the cluster. */
export async function soak(options: SoakOptions): Promise<SoakResult> {
  const { scene, durationMs, seed, referenceFile, say } = options;
  const { cluster, lab } = scene.macs;
  const random = mulberry32(seed);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  const chosen = faults(TIMES).filter(({ isLoss }) => !(isLoss && options.withoutLoss));
  await scene.whole();
  const load = new Load(lab, cluster.first, { url: API, streams: STREAMS, referenceFile });
  const struck: string[] = [];
  const end = performance.now() + durationMs;
  try {
    await delay(REST_MS.most);
    const before = await look(scene);
    while (performance.now() < end) {
      const fault = pick(chosen);
      const victim = pick(await victims(scene));
      say(`${fault.name}, studio-${victim}`);
      struck.push(fault.name);
      await strike(scene, fault, victim);
      await delay(REST_MS.least + random() * (REST_MS.most - REST_MS.least));
    }
    await scene.when('a cluster that serves', ({ state }) => state === 'serving');
    await load.end();
    const after = await look(scene);
    const grown = [...before].flatMap(([who, had]) => {
      const has = after.get(who);
      return has?.pid === had.pid ? [{ who, before: had, after: has }] : [];
    });
    await cluster.stop();
    const wrong = load.answers.filter((answer) => answer.wrong !== undefined);
    const longestPauseMs = Math.max(...load.answers.map((answer) => answer.longestPauseMs));
    const orphans = (await withEnvironment(cluster.home)).length;
    return { faults: struck, answers: load.answers.length, wrong, longestPauseMs, grown, orphans };
  } finally {
    load.kill();
  }
}

async function strike(scene: Scene, fault: Fault, victim: number): Promise<void> {
  await fault.strike(scene, victim);
  await scene.when('a cluster that serves', ({ state }) => state === 'serving');
  await fault.mend?.(scene, victim);
}

/** Macs that hold a stage, but for the one with the controller. */
async function victims(scene: Scene): Promise<number[]> {
  const holds = ({ state, stages }: { state: string; stages: readonly unknown[] }) =>
    state === 'serving' && stages.length > 1;
  const { stages } = await scene.when('a second stage', holds);
  return stages.map(({ node }) => Number(node.at(-1))).filter((number) => number > 1);
}

async function look(scene: Scene): Promise<Map<string, Taken & { pid: number }>> {
  const { cluster, macs } = scene.macs;
  const pids = new Map([['controller', cluster.controllerPid]]);
  for (const index of macs.keys()) pids.set(`agent of studio-${index + 1}`, cluster.agentPid(index));
  const seen = new Map<string, Taken & { pid: number }>();
  for (const [who, pid] of pids) {
    const has = pid === undefined ? undefined : await taken(pid);
    if (pid !== undefined && has) seen.set(who, { ...has, pid });
  }
  return seen;
}

/** Numbers from 0 to 1 from a seed (mulberry32, Tommy Ettinger, public domain). */
function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
