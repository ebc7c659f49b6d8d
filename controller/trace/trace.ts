// From what the stages told to the public document: pure. The one place that knows all parts of a trace.
import type { EngineName } from '../../protocol/plan.ts';
import type { Split } from '../../protocol/ranks.ts';
import type { ChromeTrace, RankTimes, TraceMetadata } from '../../protocol/trace.ts';
import { ESPALIER_VERSION } from '../../protocol/version.ts';
import { chromeEvents } from './chrome.ts';
import { rankVerdict } from './ranks.ts';
import { summarize } from './summary.ts';
import { makeTimeline, type ToldStage } from './timeline.ts';

/** The deployment that is traced. */
export interface Traced {
  engine: EngineName;
  model: string;
  epoch: number;
  /** of MLX Distributed, where stages are ranks that tell no steps */
  ranks?: { split: Split; times: readonly RankTimes[] };
  draft?: TraceMetadata['draft'];
}

/**
 * @param stages all stages of the deployment in the order of the ring
 * @param count how many of the last steps
 */
export function makeTrace(
  { ranks, ...deployment }: Traced,
  stages: readonly ToldStage[],
  count: number,
): ChromeTrace {
  const timeline = makeTimeline(stages, count);
  const clocks = new Map(timeline.stages.map(({ index, clock }) => [index, clock]));
  return {
    traceEvents: chromeEvents(timeline),
    displayTimeUnit: 'ms',
    metadata: {
      espalierVersion: ESPALIER_VERSION,
      ...deployment,
      startedAt: timeline.startUs === undefined ? null : timeline.startUs / 1000,
      stages: stages.map(({ index, nodeId, node, range, steps }) => ({
        index,
        nodeId,
        node,
        range,
        answered: steps !== undefined,
        clock: clocks.get(index) ?? null,
      })),
      summary: { ...summarize(timeline), ...(ranks && { verdict: rankVerdict(stages, ranks) }) },
      ...(ranks && { ranks: [...ranks.times] }),
    },
  };
}
