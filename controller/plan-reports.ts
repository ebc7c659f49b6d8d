// The plan in force with its reasons, for whoever asks. What takes several plans to know is worked out once a deployment.
import type { Plan } from '../protocol/plan.ts';
import type { PlanReport } from '../protocol/plan-report.ts';
import type { PlanAdvice } from './planner/advice.ts';
import type { PlanRequest } from './planner/inputs.ts';
import { withLinksOfToday } from './planner/planner.ts';
import { planReport } from './planner/report.ts';

export interface PlanInForce {
  epoch: number;
  plan: Plan;
}

export class PlanReports {
  readonly #advise: (request: PlanRequest, plan: Plan) => Promise<PlanAdvice>;
  #advice: { epoch: number; told: Promise<PlanAdvice> } | undefined;

  constructor(advise: (request: PlanRequest, plan: Plan) => Promise<PlanAdvice>) {
    this.#advise = advise;
  }

  /**
   * @param request the question that the plan answers, with what is known today
   * @param measuredYield see ReportOptions
   * @throws EspalierError what the advice fails with; it is asked for again the next time
   */
  async report(
    { epoch, plan }: PlanInForce,
    request: PlanRequest,
    measuredYield?: number,
  ): Promise<PlanReport> {
    if (this.#advice?.epoch !== epoch) this.#advice = { epoch, told: this.#advise(request, plan) };
    try {
      // a link may have been measured, or measured anew, since the plan was made
      const told = await this.#advice.told;
      return planReport(request, withLinksOfToday(request, plan), { epoch, measuredYield, ...told });
    } catch (error) {
      if (this.#advice?.epoch === epoch) this.#advice = undefined;
      throw error;
    }
  }
}
