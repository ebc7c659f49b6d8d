// What the stages tell: their answers go to the requests, their figures to whoever keeps them, and what changes the cluster
// to its heart. It decides nothing.
import { headStage } from '../protocol/plan.ts';
import type { StageStats } from '../protocol/stage.ts';
import type { StageEvent } from './agent-words.ts';
import type { Cluster, ClusterInput } from './cluster/state.ts';
import type { GuessCounts } from './guess-counts.ts';
import type { History } from './history.ts';
import type { MeasurementStore } from './measurement-store.ts';
import type { Requests } from './requests.ts';
import type { TraceCollector } from './trace/collector.ts';

export interface StageEventsDeps {
  cluster: Cluster;
  /** tells the heart */
  take(input: ClusterInput): void;
  requests: Requests;
  traces: TraceCollector;
  history: History;
  guesses: GuessCounts;
  store: MeasurementStore;
}

export class StageEvents {
  readonly #deps: StageEventsDeps;
  /** the deployment whose head made so many steps */
  #head = { epoch: 0, steps: 0 };

  constructor(deps: StageEventsDeps) {
    this.#deps = deps;
  }

  receive(nodeId: string, event: StageEvent): void {
    const { cluster, take, requests, traces, store } = this.#deps;
    const { epoch } = event;
    // answers of an old epoch belong to nobody
    const isPresent = epoch === cluster.deployment?.epoch;
    switch (event.kind) {
      case 'tokens':
        if (isPresent) requests.receive(event.tokens);
        break;
      case 'admitted':
        if (isPresent) requests.admit(event.requestIds);
        break;
      case 'request-failed':
        if (isPresent) requests.fail(event.failure);
        break;
      case 'trace':
        traces.receive(epoch, nodeId, event.steps);
        break;
      case 'stats':
        if (isPresent) this.#noteStats(nodeId, epoch, event.stats);
        take({ ...event, nodeId });
        store.note(cluster.measurements, performance.now());
        break;
      default:
        take({ ...event, nodeId });
    }
  }

  #noteStats(nodeId: string, epoch: number, stats: StageStats): void {
    const { history, guesses } = this.#deps;
    history.report(nodeId, epoch, stats, performance.now());
    this.#noteSteps(nodeId, epoch, stats.stepsTotal);
    if (stats.guesses) guesses.note(epoch, stats.guesses);
  }

  /** Steps of the head are progress for all: requests may wait long for their turn, but not for a stage that stands. */
  #noteSteps(nodeId: string, epoch: number, steps: number): void {
    const { cluster, requests } = this.#deps;
    if (!cluster.deployment || nodeId !== headStage(cluster.deployment.plan)?.nodeId) return;
    const before = this.#head.epoch === epoch ? this.#head.steps : 0;
    this.#head = { epoch, steps };
    if (steps !== before) requests.noteProgress();
  }
}
