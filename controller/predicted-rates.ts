// What the cost model says of the plan in force, beside what is measured: for the status, so it has to be cheap. It is
// worked out anew every few seconds, because stages and links are measured meanwhile.
import type { ClusterStatus, PredictedRates } from '../protocol/status.ts';
import { requestInForce } from './cluster/deploying.ts';
import type { Cluster } from './cluster/state.ts';
import { TYPICAL_CONTEXT_TOKENS } from './planner/cost.ts';
import { planLimits } from './planner/limits.ts';
import { placeOnEngine, planStageMs, predictPlan } from './planner/predict-plan.ts';

const FRESH_MS = 5_000;

interface Known {
  epoch: number;
  at: number;
  /** tokens per second of so many streams together */
  predict(streams: number): number;
  rates: Omit<PredictedRates, 'now'>;
  stages: StagePrediction[];
}

export interface StagePrediction {
  usableBytes: number;
  /** one row; null for a rank of MLX Distributed, which times what it computes in a way of its own */
  stepMs: number | null;
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
    const tokensPerSecond = streams > 0 ? known.predict(streams) : 0;
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
    const placed = placeOnEngine(cluster.card, plan, request.nodes);
    const predict = (streams: number) => predictPlan(request, plan, streams, TYPICAL_CONTEXT_TOKENS);
    // the model's words for stages and for what limits them are of a pipeline of ours
    const isOurs = plan.engine === 'node-mlx';
    const steps = isOurs ? planStageMs(placed, plan) : [];
    const limits = isOurs ? planLimits(placed, plan) : [];
    this.#known = {
      epoch,
      at: now,
      predict,
      rates: {
        oneStream: predict(1),
        allStagesBusy: predict(placed.stages.length),
        limit: (limits.find(({ of }) => of === 'all stages busy') ?? limits[0])?.text ?? '',
      },
      stages: placed.stages.map(({ node }, index) => ({
        usableBytes: node.usableBytes,
        stepMs: steps[index] ?? null,
      })),
    };
    return this.#known;
  }
}
