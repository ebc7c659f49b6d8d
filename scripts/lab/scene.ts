// What the lab's faults and their witnesses share: the six Macs with their processes, and waiting for what must come.
import { setTimeout as delay } from 'node:timers/promises';
import { EspalierError } from '../../protocol/errors.ts';
import type { ClusterStatus } from '../../protocol/status.ts';
import type { SixMacs } from './six-macs.ts';

const POLL_MS = 100;
/** Far above what anything here takes, so that a hang is told as one. */
const DEADLINE_MS = 120_000;

export class Scene {
  readonly macs: SixMacs;

  constructor(macs: SixMacs) {
    this.macs = macs;
  }

  /** Waits until a status has a property; statuses that cannot be had (a controller that is down) have none. */
  async when(what: string, holds: (status: ClusterStatus) => boolean): Promise<ClusterStatus> {
    const { cluster } = this.macs;
    const begin = performance.now();
    let last: ClusterStatus | undefined;
    for (;;) {
      const status = await cluster.status().catch(() => undefined);
      if (status && holds(status)) return status;
      last = status ?? last;
      if (performance.now() - begin > DEADLINE_MS) {
        const told = last?.events.map(({ text }) => text).join('\n');
        const where = `${last?.state}, ${last?.reason}\n${told}\n${cluster.log.slice(-4_000)}`;
        throw new EspalierError(
          'no_progress',
          `${what} did not come within ${DEADLINE_MS / 1000} s: ${where}`,
        );
      }
      await delay(POLL_MS);
    }
  }

  /** Waits until all Macs serve, each with a stage. */
  whole(): Promise<ClusterStatus> {
    const count = this.macs.macs.length;
    return this.when(
      'a stage on each Mac',
      ({ state, stages }) => state === 'serving' && stages.length === count,
    );
  }

  /** The number of the Mac, from 1, that holds a stage. */
  async holderOf(stage: number): Promise<number> {
    const { stages } = await this.whole();
    return Number(stages.at(stage)?.node.at(-1));
  }

  /** @param number of the Mac, from 1 */
  async workerPid(number: number): Promise<number> {
    const { stages } = await this.macs.cluster.status();
    const pid = stages.find(({ node }) => node === `studio-${number}`)?.pid;
    if (!pid) throw new EspalierError('internal', `studio-${number} holds no stage`);
    return pid;
  }

  agentPid(number: number): number {
    const pid = this.macs.cluster.agentPid(number - 1);
    if (pid === undefined) throw new EspalierError('internal', `the agent of studio-${number} does not run`);
    return pid;
  }
}
