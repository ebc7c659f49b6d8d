// How far the stages' clocks are apart, from nothing but their steps: pure. Every machine has a clock of its own, but a
// frame never arrives before it was sent, and the ring closes, so the steps bound the offsets from both sides.
import type { TracedStep, TracedSteps } from '../../protocol/trace.ts';

export interface Clock {
  /** to be added to the stage's times to have them on the first stage's clock */
  offsetUs: number;
  /** how far off that may be; null where the steps do not close the ring, so that one side is open */
  uncertaintyUs: number | null;
}

/**
 * Let `d` of a hop be the least that any frame took over it, read from both ends' own clocks. Added up around the ring,
 * the offsets cancel: the sum S is true time, S ≥ 0, and each offset may lie in a range as wide as S. As NTP does with
 * its two directions, it is assumed that the fastest frames took equally long on all n hops, S/n each, which keeps every
 * frame's arrival after its departure. Which hop is a slow one, the steps thus do not tell; only how long all took.
 *
 * Clocks that run apart while the steps run (10 parts of a million are 0.5 ms in 50 s) make S too small by as much, and
 * the uncertainty does not count that in; where S comes out negative, the uncertainty is its size.
 *
 * @param stages the steps of stages in the order of the ring; the first one's clock is the reference
 * @param closes whether the first one is the head, to which the answers return
 * @returns a clock for each stage, the first with offset 0
 */
export function alignClocks(stages: readonly TracedSteps[], closes: boolean): Clock[] {
  const hops = stages.map((from, i) => leastUs(from, stages[i + 1] ?? []));
  const count = stages.length;
  hops[count - 1] = closes && count > 1 ? leastUs(stages.at(-1) ?? [], stages[0] ?? [], 'answer') : undefined;
  const known = hops.filter((hop) => hop !== undefined);
  const ringUs = known.length === count ? sum(known) : undefined;
  const clocks: Clock[] = [];
  let offsetUs = 0;
  for (const [i, hop] of hops.entries()) {
    const share = ringUs === undefined ? null : Math.max(i, count - i) / count;
    const uncertaintyUs = share === null ? null : Math.ceil(share * Math.abs(ringUs ?? 0));
    // `|| 0`: a rounded offset of -0.3 is no -0
    clocks.push({ offsetUs: Math.round(offsetUs) || 0, uncertaintyUs: i === 0 ? 0 : uncertaintyUs });
    offsetUs += (ringUs ?? 0) / count - (hop ?? 0);
  }
  return clocks;
}

/** The least time from sending a step's frame at one stage to its arrival at another, each by its own clock. */
function leastUs(from: TracedSteps, to: TracedSteps, arrival?: 'answer'): number | undefined {
  const arrivals = new Map(to.map((step) => [step.step, arrival ? step.answeredUs : step.beginUs]));
  let least: number | undefined;
  for (const step of from) {
    const arrivedUs = arrivals.get(step.step);
    if (arrivedUs === undefined || arrivedUs === null) continue;
    const tookUs = arrivedUs - departureUs(step);
    if (least === undefined || tookUs < least) least = tookUs;
  }
  return least;
}

/** When the first byte can have left. Not when sending ended: by then the other side may have begun. */
function departureUs({ beginUs, deserializeUs, computeUs, serializeUs }: TracedStep): number {
  return beginUs + deserializeUs + computeUs + serializeUs;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
