// The plan in force from the public API.
import { PLAN_PATH, PlanReport } from '../../../protocol/plan-report.ts';
import { askController } from '../ask-controller.ts';

/** What would make the plan better takes several plans to find out. */
const ANSWER_TIMEOUT_MS = 30_000;

/** @throws what `askController` throws */
export async function fetchPlan(controllerUrl: string): Promise<PlanReport> {
  const question = { path: PLAN_PATH, schema: PlanReport, what: 'plan', timeoutMs: ANSWER_TIMEOUT_MS };
  return (await askController(controllerUrl, question)).data;
}
