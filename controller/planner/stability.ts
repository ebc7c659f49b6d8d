// Whether a running plan gives way to another one: only for a gain that is worth loading weights for. Pure.
import type { Goal } from '../../protocol/plan.ts';

/** Measurements of the same links and nodes vary by less; loading a stage again takes a minute. */
export const MIN_GAIN_SHARE = 0.1;

export interface PlanCost {
  /** a token's way through all stages and hops, and back */
  sumNs: number;
  /** the slowest stage or the busiest link */
  maxNs: number;
  /** a token of one stream, where guesses count with those that are right; otherwise `sumNs` */
  tokenNs: number;
}

/** @param current as it costs today; undefined where it does not hold any more */
export function isBetterEnough(current: PlanCost | undefined, next: PlanCost, goal: Goal): boolean {
  return !current || costShare(current, next, goal) > 1 + MIN_GAIN_SHARE;
}

/** How many times as much a plan costs as another one, in what the goal counts. */
export function costShare(one: PlanCost, other: PlanCost, goal: Goal): number {
  return goal === 'latency' ? one.tokenNs / other.tokenNs : one.maxNs / other.maxNs;
}
