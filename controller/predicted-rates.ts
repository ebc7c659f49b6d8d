// What the cost model says of the plan in force, beside what is measured: for the status, so it has to be cheap. It is
// worked out anew every few seconds, because stages and links are measured meanwhile.
import type { ClusterStatus, PredictedRates } from '../protocol/status.ts';
import { requestInForce } from './cluster/deploying.ts';
import type { Cluster } from './cluster/state.ts';
import { ONE_ROW } from './planner/cost.ts';
import { planLimits } from './planner/limits.ts';
import { type Placed, placePlan, predictDecode, stageDecodeMs } from './planner/predict.ts';

const FRESH_MS = 5_000;

interface Known {
  epoch: number;
  at: number;
  placed: Placed;
  rates: Omit<PredictedRates, 'now'>;
  stages: StagePrediction[];
}

export interface StagePrediction {
  usableBytes: number;
  stepMs: number;
}

export class PredictedRatesOf {
  #known: Known | undefined;

  /**
   * @param streams that are running
   * @param now milliseconds on a clock that never jumps
   * @returns null while nothing is deployed
   */
  rates(cluster: Cluster, streams: number, now: number): ClusterStatus['predicted'] {
    const known = this.#of(cluster, now);
    if (!known) return null;
    const tokensPerSecond = streams > 0 ? predictDecode(known.placed, streams) : 0;
    return { ...known.rates, now: streams > 0 ? { streams, tokensPerSecond } : null };
  }

  /** One for each stage in turn; none while nothing is deployed. */
  stages(cluster: Cluster, now: number): readonly StagePrediction[] {
    return this.#of(cluster, now)?.stages ?? [];
  }

  #of(cluster: Cluster, now: number): Known | undefined {
    const { deployment } = cluster;
    if (!deployment) return undefined;
    const { epoch, plan } = deployment;
    if (this.#known?.epoch === epoch && now - this.#known.at < FRESH_MS) return this.#known;
    const request = requestInForce(cluster);
    if (!request) return undefined;
    const placed = placePlan(cluster.card, plan, request.nodes);
    const steps = stageDecodeMs(placed, ONE_ROW);
    const limits = planLimits(placed, plan);
    this.#known = {
      epoch,
      at: now,
      placed,
      rates: {
        oneStream: predictDecode(placed, 1),
        allStagesBusy: predictDecode(placed, placed.stages.length),
        limit: (limits.find(({ of }) => of === 'all stages busy') ?? limits[0])?.text ?? '',
      },
      stages: placed.stages.map(({ node }, index) => ({
        usableBytes: node.usableBytes,
        stepMs: steps[index] ?? 0,
      })),
    };
    return this.#known;
  }
}
