// A plan whose files are fetched while nodes come and go.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fetchedPlan } from '../../controller/fetched-plan.ts';
import { solvePlan } from '../../controller/planner/solve.ts';
import type { Plan } from '../../protocol/plan.ts';
import { paperRequest } from './planner/support.ts';

const planOver = (macs: string): Plan => {
  const request = paperRequest(macs, 'deepseek-r1-4bit');
  return solvePlan({ request, before: undefined }).plan.plan;
};
const THREE = planOver('3x M2 Ultra 192GB, gbe');
const FOUR = planOver('4x M2 Ultra 192GB, gbe');

/** @param today what planning gives after each fetch; the last one again and again */
async function play(first: Plan, today: readonly Plan[]) {
  const fetched: number[] = [];
  let plans = 0;
  const plan = await fetchedPlan(first, {
    fetch: async ({ stages }) => void fetched.push(stages.length),
    planAgain: async () => today[Math.min(plans++, today.length - 1)] as Plan,
  });
  return { fetched, stages: plan.stages.length };
}

test('what is still the best plan is fetched once', async () => {
  // links that were measured meanwhile change nothing of what is where
  const measured = { ...THREE, links: [] };
  assert.deepEqual(await play(THREE, [measured]), { fetched: [3], stages: 3 });
});

test('what another plan lacks is fetched before it is deployed', async () => {
  assert.deepEqual(await play(THREE, [FOUR]), { fetched: [3, 4], stages: 4 });
});

test('where nodes come and go all the time, it ends all the same', async () => {
  assert.deepEqual(await play(THREE, [FOUR, THREE, FOUR]), { fetched: [3, 4, 3], stages: 4 });
});

test('a plan that cannot be made any more is no deployment', async () => {
  const refused = fetchedPlan(THREE, {
    fetch: async () => undefined,
    planAgain: async () => {
      throw new Error('does not fit');
    },
  });
  await assert.rejects(refused, /does not fit/);
});
