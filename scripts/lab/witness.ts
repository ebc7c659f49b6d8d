// What the clients of a cluster see of a fault: eight streams before, during and after it, each answer compared with
// mlx-lm's, and the longest that one of them paused.
import { setTimeout as delay } from 'node:timers/promises';
import { EspalierError } from '../../protocol/errors.ts';
import type { Incident } from '../../protocol/incidents.ts';
import type { Fault } from './faults.ts';
import { API } from './lab-cluster.ts';
import { type Checked, Load } from './load.ts';
import type { Scene } from './scene.ts';

export const STREAMS = 8;
/** Streams run for this long before the fault. */
const BEFORE_MS = 1_000;
/** Far above any pause, so that a hang is told as one. */
const DEADLINE_MS = 180_000;
const POLL_MS = 100;

export interface Testimony {
  fault: string;
  /** answers that ended after the fault */
  answers: readonly Checked[];
  wrong: readonly Checked[];
  /** the longest pause of a stream */
  longestPauseMs: number;
  /** of the cluster itself, since the fault */
  incidents: readonly Incident[];
  epochs: number;
}

/** @param referenceFile see Load @param streams at once */
export async function witness(
  scene: Scene,
  fault: Fault,
  referenceFile: string,
  streams = STREAMS,
): Promise<Testimony> {
  const { cluster, lab } = scene.macs;
  const { epoch } = await scene.whole();
  const known = (await cluster.incidents()).length;
  const load = new Load(lab, cluster.first, { url: API, streams, referenceFile });
  try {
    await delay(BEFORE_MS);
    await until(() => load.haveAllGoneOn(0, streams), 'the first answers');
    const from = Date.now();
    await fault.strike(scene, fault.victim);
    // what was broken for a while is whole again: what is asked from now on must be answered
    const struck = Date.now();
    await scene.when('a cluster that serves', ({ state }) => state === 'serving');
    await until(() => load.haveAllGoneOn(struck, streams), 'the answers after the fault');
    await load.end();
    const answers = load.since(from);
    const incidents = (await cluster.incidents()).slice(known);
    const after = await cluster.status();
    return {
      fault: fault.name,
      answers,
      wrong: load.answers.filter(({ wrong }) => wrong !== undefined),
      longestPauseMs: Math.max(...answers.map(({ longestPauseMs }) => longestPauseMs)),
      incidents,
      epochs: after.epoch - epoch,
    };
  } finally {
    load.kill();
    await fault.mend?.(scene, fault.victim);
  }
}

async function until(holds: () => boolean, what: string): Promise<void> {
  const begin = performance.now();
  while (!holds()) {
    if (performance.now() - begin > DEADLINE_MS)
      throw new EspalierError('no_progress', `${what} did not come within ${DEADLINE_MS / 1000} s`);
    await delay(POLL_MS);
  }
}
