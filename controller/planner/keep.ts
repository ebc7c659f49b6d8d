// The plan that follows another one: stages that have loaded their layers keep them where that costs little. Pure.
import type { Plan } from '../../protocol/plan.ts';
import { forTheSameReason } from './draft-place.ts';
import type { PlanRequest } from './inputs.ts';
import { type FoundPlan, planInOrder } from './planner.ts';
import type { StageEnds } from './split.ts';
import { isBetterEnough } from './stability.ts';

/**
 * Of the best plan and those like the plan before, the one that changes the least and is not worse by more than the margin
 * of `isBetterEnough`: every stage that is left keeps its layers, and neighbours take those of lost nodes; or the order is
 * kept with other splits. Measurements differ each time: without this, equal orders would change places with every plan.
 * @param best the answer to the request
 * @param before the plan that was in force, of the same model; undefined when there was none
 */
export function keepStages(request: PlanRequest, best: FoundPlan, before: Plan | undefined): FoundPlan {
  const { card, goal, nodes, pins } = request;
  if (!before || pins?.nodes || before.stages.at(-1)?.range.end !== card.layerCount) return best;
  const left = before.stages.filter(({ nodeId }) => nodes.some(({ id }) => id === nodeId));
  if (left.length === 0) return best;
  const order = left.map(({ nodeId }) => nodeId);
  const unmoved = left.map(({ range }, i): StageEnds[number] => {
    const next = left[i + 1]?.range.start ?? card.layerCount;
    return i === left.length - 1 ? [next, next] : [range.end, next];
  });
  for (const ends of [unmoved, undefined]) {
    const kept = planInOrder(request, order, best.plan.draft?.place === 'apart', ends);
    if (!kept || isBetterEnough(kept, best, goal)) continue;
    const isAsGood = kept.sumNs === best.sumNs && kept.maxNs === best.maxNs;
    return forTheSameReason({ ...kept, isExact: best.isExact && isAsGood }, best);
  }
  return best;
}
