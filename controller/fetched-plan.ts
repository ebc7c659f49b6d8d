// A plan whose files are on its nodes, though fetching them took so long that nodes came and went. It must not know how files
// are fetched, nor how plans are made.
import { isDeepStrictEqual } from 'node:util';
import type { Plan } from '../protocol/plan.ts';

/** Plans whose files are fetched in turn; after the last one it is deployed, and what is missing then is fetched then. */
const MAX_ROUNDS = 3;

export interface PlanFetching {
  /** resolves when a plan's nodes hold its files */
  fetch(plan: Plan): Promise<void>;
  /** @param before is kept where that costs little */
  planAgain(before: Plan): Promise<Plan>;
}

/**
 * Fetches what a plan needs, looks at the plan again, and fetches what is missing then.
 * @returns the plan of today
 * @throws what fetching or planning throws
 */
export async function fetchedPlan(first: Plan, { fetch, planAgain }: PlanFetching): Promise<Plan> {
  let plan = first;
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    await fetch(plan);
    const today = await planAgain(plan);
    const isSame = isDeepStrictEqual(placesOf(today), placesOf(plan));
    plan = today;
    if (isSame) break;
  }
  return plan;
}

/** What decides which node needs which files. */
function placesOf({ engine, stages }: Plan) {
  return { engine, stages: stages.map(({ nodeId, range }) => ({ nodeId, range })) };
}
