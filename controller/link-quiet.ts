// When the links between nodes may be measured: that takes processors and cables, so never while a request runs, stages load
// or files are fetched. It must not know how they are measured.
import { setTimeout as delay } from 'node:timers/promises';
import { LINKS_WAIT_MS } from '../protocol/limits.ts';
import { type Cluster, isServing } from './cluster/state.ts';
import type { Links } from './links/links.ts';

type QuietedLinks = Pick<Links, 'setBlocked' | 'setHops' | 'isMeasuringFirst' | 'stop'>;

/** Whether measurements have ended is looked at this often. */
const LOOK_MS = 100;

export class LinkQuiet {
  readonly #cluster: Cluster;
  readonly #links: QuietedLinks;
  /** tasks that send files over the links */
  #fetching = 0;
  #isStopped = false;

  constructor(cluster: Cluster, links: QuietedLinks) {
    this.#cluster = cluster;
    this.#links = links;
  }

  /** Tells what is so now; called whenever the cluster may have changed. */
  update(): void {
    if (this.#isStopped) return;
    this.#links.setBlocked(this.#reason);
    const stages = this.#cluster.deployment?.stages ?? [];
    this.#links.setHops(stages.flatMap(({ hopPath }) => hopPath ?? []));
  }

  /**
   * Does what sends files over the links. What is measured for the first time is waited for: which way is fast decides for a
   * long time how files travel.
   * @throws what the task throws; the signal's reason
   */
  async whileFetching<T>(task: () => Promise<T>, signal: AbortSignal): Promise<T> {
    const deadline = performance.now() + LINKS_WAIT_MS;
    while (this.#fetching === 0 && this.#links.isMeasuringFirst && performance.now() < deadline) {
      await delay(LOOK_MS);
      signal.throwIfAborted();
    }
    this.#fetching += 1;
    this.update();
    try {
      return await task();
    } finally {
      this.#fetching -= 1;
      this.update();
    }
  }

  /** From now on nothing is measured. */
  stop(): void {
    this.#isStopped = true;
    this.#links.stop();
  }

  get #reason(): string | undefined {
    const { deployment, requests } = this.#cluster;
    if (requests > 0) return 'a request runs';
    if (deployment && !isServing(deployment)) return 'the stages are loading';
    return this.#fetching > 0 ? 'model files are fetched' : undefined;
  }
}
