// What there is to say of a plan in force that takes several plans to know: what would make it better, and how far behind
// the best one it is. Pure.
import type { Plan } from '../../protocol/plan.ts';
import type { PlanImprovement } from '../../protocol/plan-report.ts';
import { planImprovements } from './improvements.ts';
import type { PlanRequest } from './inputs.ts';
import { costOf, findPlan } from './planner.ts';
import { costShare } from './stability.ts';

export interface PlanAdvice {
  improvements: PlanImprovement[];
  /** proven to be as good as any under the cost model, with what is known now */
  isExact: boolean;
  /** the share by which the best plan that was found is faster; 0 where none is */
  behindBestShare: number;
}

/** @param request the question that the plan answers, with what is known now */
export function advise(request: PlanRequest, plan: Plan): PlanAdvice {
  // what is worked out here are pipelines of ours
  if (plan.engine !== 'node-mlx') return { improvements: [], isExact: false, behindBestShare: 0 };
  const improvements = [...planImprovements(request, plan)].filter((each) => each !== undefined);
  const best = findPlan(request);
  const current = costOf(request, plan);
  const behindBestShare = best && current ? Math.max(0, costShare(current, best, request.goal) - 1) : 0;
  return { improvements, isExact: (best?.isExact ?? false) && behindBestShare === 0, behindBestShare };
}
