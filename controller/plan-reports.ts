// The plan in force with its reasons, for whoever asks. What would make it better takes several plans, so that is worked
// out once a deployment, with other work in between.
import { setImmediate as otherWork } from 'node:timers/promises';
import type { Plan } from '../protocol/plan.ts';
import type { PlanImprovement, PlanReport } from '../protocol/plan-report.ts';
import { planImprovements } from './planner/improvements.ts';
import type { PlanRequest } from './planner/inputs.ts';
import { planReport } from './planner/report.ts';

export interface PlanInForce {
  epoch: number;
  plan: Plan;
  isExact: boolean;
}

export class PlanReports {
  #advice: { epoch: number; improvements: Promise<(PlanImprovement | undefined)[]> } | undefined;

  /** @param request the question that the plan answers, with what is known today */
  async report({ epoch, plan, isExact }: PlanInForce, request: PlanRequest): Promise<PlanReport> {
    if (this.#advice?.epoch !== epoch) this.#advice = { epoch, improvements: advise(request, plan) };
    const improvements = await this.#advice.improvements;
    return planReport(request, plan, { epoch, isExact, improvements });
  }
}

async function advise(request: PlanRequest, plan: Plan): Promise<(PlanImprovement | undefined)[]> {
  const improvements: (PlanImprovement | undefined)[] = [];
  for (const improvement of planImprovements(request, plan)) {
    improvements.push(improvement);
    await otherWork();
  }
  return improvements;
}
