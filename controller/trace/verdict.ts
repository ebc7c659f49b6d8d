// The times of a trace as a sentence or two for people: pure. Which stage is the busiest, and what the steps wait for.
import { formatRange } from '../../protocol/plan.ts';
import type { RoundTimes, StageTimes, TracePhase } from '../../protocol/trace.ts';

/** From here on a stage leaves the others little to gain from anything but itself. */
const BOTTLENECK_SHARE = 0.75;

export interface Findings {
  steps: number;
  stages: readonly StageTimes[];
  round: RoundTimes | null;
  /** numbers of the stages that told nothing */
  silent: readonly number[];
}

export function verdict({ steps, stages, round, silent }: Findings): string {
  const found = steps === 0 ? 'No step has run since this deployment began.' : explain(stages, round);
  if (silent.length === 0) return found;
  const who = silent.length === 1 ? `Stage ${silent[0]}` : `Stages ${silent.join(', ')}`;
  return `${found} ${who} did not answer in time and may be the reason: it computes, or it hangs.`;
}

function explain(stages: readonly StageTimes[], round: RoundTimes | null): string {
  const [busiest] = [...stages].sort((a, b) => b.busyShare - a.busyShare);
  if (!busiest) return '';
  const who =
    `Stage ${busiest.index} (${busiest.node}, layers ${formatRange(busiest.range)}) is the busiest: ` +
    `it works ${percent(busiest.busyShare)} of the time`;
  const sentences = [`${who}, ${waitsFor(busiest, round)}.`, ...(round ? [way(round)] : [])];
  return sentences.join(' ');
}

function waitsFor(busiest: StageTimes, round: RoundTimes | null): string {
  if (busiest.busyShare >= BOTTLENECK_SHARE) return bottleneck(busiest);
  if (!round) return 'so the steps wait for more than this stage';
  const { computeShare, bytesShare, linkShare, queueShare } = round;
  if (linkShare + bytesShare > computeShare + queueShare) {
    return `so the pipeline waits for the link${bytesShare > linkShare ? ', at its ends' : ''}`;
  }
  return 'so the pipeline waits for compute, on one stage after the other: more requests at once would fill the stages';
}

/** What a stage is busy with that all others wait for. */
function bottleneck({ phases }: StageTimes): string {
  const share = (...of: TracePhase[]) => of.reduce((sum, phase) => sum + phases[phase].share, 0);
  const compute = share('compute');
  const bytes = share('deserialize', 'serialize', 'send');
  const upkeep = share('tidy', 'finish');
  if (compute >= bytes && compute >= upkeep) {
    return `${percent(compute)} computing, so the pipeline waits for its compute`;
  }
  if (bytes >= upkeep) {
    return `${percent(bytes)} between tensors and sockets, so the pipeline waits for the link, at this stage's end`;
  }
  return `${percent(upkeep)} tidying up, so the pipeline waits for its memory`;
}

function way({ meanUs, computeShare, bytesShare, linkShare, queueShare }: RoundTimes): string {
  const parts = [
    [computeShare, 'compute'],
    [bytesShare, 'packing and sending'],
    [linkShare, 'on the link'],
    [queueShare, 'waiting for a busy stage'],
  ] as const;
  const shown = parts.filter(([share]) => share >= 0.005).map(([share, what]) => `${percent(share)} ${what}`);
  return `A step's way through all stages takes ${milliseconds(meanUs)}: ${shown.join(', ')}.`;
}

function percent(share: number): string {
  return `${Math.round(share * 100)}%`;
}

function milliseconds(us: number): string {
  return `${(us / 1000).toFixed(us < 99_500 ? 1 : 0)} ms`;
}
