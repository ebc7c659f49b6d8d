// A plan on hardware from a line of text. Pure: no node, no network.
import { parseHardware } from '../../../controller/planner/hardware.ts';
import { planImprovements } from '../../../controller/planner/improvements.ts';
import type { PlanRequest } from '../../../controller/planner/inputs.ts';
import { findPlan, noPlan } from '../../../controller/planner/planner.ts';
import { planReport } from '../../../controller/planner/report.ts';
import { EspalierError } from '../../../protocol/errors.ts';
import type { PlanReport } from '../../../protocol/plan-report.ts';

export type Wishes = Omit<PlanRequest, 'nodes' | 'links' | 'otherLink' | 'maxStages'>;

/**
 * @param hardware as parseHardware understands it
 * @throws EspalierError bad_option, not_enough_nodes
 */
export function paperPlan(hardware: string, wishes: Wishes): PlanReport {
  const { card, contextTokens } = wishes;
  if (contextTokens > card.contextTokens) {
    throw new EspalierError(
      'bad_option',
      `--context ${contextTokens}: ${card.id} knows at most ${card.contextTokens} tokens`,
    );
  }
  const request: PlanRequest = { ...wishes, ...parseHardware(hardware) };
  const found = findPlan(request);
  if (!found) throw noPlan(request);
  const { plan, isExact } = found;
  return planReport(request, plan, { isExact, improvements: planImprovements(request, plan) });
}
