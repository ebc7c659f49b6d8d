// The heart's clock and alarms: events go in one after the other, what is decided goes out, and it is looked at again when
// a plan is due or has been found. It must not know what becomes of its decisions.
import { advance } from './cluster/advance.ts';
import {
  type Cluster,
  type ClusterInput,
  type ClusterOptions,
  type Effect,
  newCluster,
} from './cluster/state.ts';
import type { PlanAnswer, PlanQuestion } from './planner/solve.ts';
import { PlannerThread } from './planner-thread.ts';

export class Heart {
  readonly cluster: Cluster;
  readonly #planner = new PlannerThread();
  readonly #onEffect: (effect: Effect) => void;
  readonly #onTaken: () => void;
  #alarm: NodeJS.Timeout | undefined;
  #isStopped = false;

  /**
   * @param onEffect what is to be done, in order
   * @param onTaken called when all that followed from an event has been done
   */
  constructor(options: ClusterOptions, onEffect: (effect: Effect) => void, onTaken: () => void) {
    this.cluster = newCluster({ ...options, solve: (question) => this.#solve(question) });
    this.#onEffect = onEffect;
    this.#onTaken = onTaken;
  }

  take(input: ClusterInput): void {
    if (this.#isStopped) return;
    for (const effect of advance(this.cluster, input, performance.now())) this.#onEffect(effect);
    this.#onTaken();
    this.#setAlarm();
  }

  /** From now on nothing is taken. */
  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#alarm);
  }

  /** Ends what is thought about. */
  close(): Promise<void> {
    return this.#planner.close();
  }

  /** As the planner does; the cluster is asked again as soon as there is an answer. */
  #solve(question: PlanQuestion): PlanAnswer | Promise<PlanAnswer> {
    const answer = this.#planner.solve(question);
    if (answer instanceof Promise) {
      const lookAgain = () => setImmediate(() => this.take({ kind: 'tick' }));
      answer.then(lookAgain, lookAgain);
    }
    return answer;
  }

  /** After a loss the next plan is due sooner than the next tick. */
  #setAlarm(): void {
    clearTimeout(this.#alarm);
    const { deployment, planNotBefore } = this.cluster;
    const restMs = planNotBefore - performance.now();
    if (deployment || restMs <= 0) return;
    this.#alarm = setTimeout(() => this.take({ kind: 'tick' }), Math.ceil(restMs));
  }
}
