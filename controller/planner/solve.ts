// What a controller asks of the planner, answered in one go: the plan to deploy, and whether it is worth replacing the one
// in force. Pure, and of data only, so that it can be asked in a thread of its own.
import type { Plan } from '../../protocol/plan.ts';
import { findEnginePlan, isFaster, noEnginePlan } from './engines.ts';
import type { PlanRequest } from './inputs.ts';
import { keepStages } from './keep.ts';
import { costOf, type FoundPlan } from './planner.ts';
import { isBetterEnough } from './stability.ts';

export interface PlanQuestion {
  request: PlanRequest;
  /** in force, or the last one that was; undefined before the first */
  before: Plan | undefined;
}

export interface PlanAnswer {
  /** the plan to deploy where none is in force */
  plan: FoundPlan;
  /** the plan to deploy in place of the one before; undefined where none gains enough */
  better: FoundPlan | undefined;
}

/** @throws EspalierError not_enough_nodes, nodes_unlinked, engine_not_installed, bad_option */
export function solvePlan(question: PlanQuestion): PlanAnswer {
  const answer = trySolvePlan(question);
  if (answer) return answer;
  throw noEnginePlan(question.request);
}

/**
 * The same without the reasons, which take longer than a plan.
 * @returns undefined where no plan fits
 * @throws EspalierError engine_not_installed, bad_option
 */
export function trySolvePlan({ request, before }: PlanQuestion): PlanAnswer | undefined {
  const best = findEnginePlan(request, before !== undefined);
  if (!best) return undefined;
  if ([best.plan, before].some((one) => one?.engine === 'mlx-distributed')) {
    // ranks load anew whatever changes: there is nothing to keep
    const { split } = request.engine ?? {};
    const isAskedFor = split !== undefined && best.plan.split === split && before?.split !== split;
    const isWorthIt = before !== undefined && (isAskedFor || isFaster(request, best.plan, before));
    return { plan: best, better: isWorthIt ? best : undefined };
  }
  const plan = keepStages(request, best, before);
  if (!before) return { plan, better: undefined };
  const current = costOf(request, before);
  const gains = [plan, best].filter((next) => isBetterEnough(current, next, request.goal));
  return { plan, better: gains[0] };
}
