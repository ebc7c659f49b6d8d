import assert from 'node:assert/strict';
import { test } from 'node:test';
import { solvePlan } from '../../controller/planner/solve.ts';
import { PlannerThread } from '../../controller/planner-thread.ts';
import { EspalierError } from '../../protocol/errors.ts';
import { paperRequest } from './planner/support.ts';

const LARGE = '5x M2 Ultra 192GB + 3x M3 Ultra 256GB + 4x M4 Max 128GB, 10GbE';

test('a thread gives the answers of the planner, and other work goes on meanwhile', async (t) => {
  const thread = new PlannerThread();
  t.after(() => thread.close());
  const request = paperRequest(LARGE, 'deepseek-r1-4bit');
  const question = { request, before: undefined };
  let turns = 0;
  const count = setInterval(() => turns++, 1);
  const first = await thread.solve(question);
  clearInterval(count);
  assert.ok(turns > 0, 'the event loop stood still');
  assert.deepEqual(first, solvePlan(question));
  const again = await thread.solve({ request, before: first.plan.plan });
  assert.deepEqual(again.plan.plan.stages, first.plan.plan.stages);
  assert.equal(again.better, undefined);
});

test('few nodes are answered at once; why nothing fits, and what cannot be kept, are errors as the planner has them', async (t) => {
  const thread = new PlannerThread();
  t.after(() => thread.close());
  const small = { request: paperRequest('3x M2 Ultra 192GB', 'deepseek-r1-4bit'), before: undefined };
  const answer = thread.solve(small);
  assert.ok(!(answer instanceof Promise));
  assert.deepEqual(answer, solvePlan(small));
  const minis = { request: paperRequest('2x M4 Pro mini 64GB', 'deepseek-r1-4bit'), before: undefined };
  await assert.rejects(async () => thread.solve(minis), {
    code: 'not_enough_nodes',
    message: /GB\) are missing/,
  });
  const pins = { layers: [1, 2] };
  const pinned = { request: paperRequest(LARGE, 'deepseek-r1-4bit', { pins }), before: undefined };
  await assert.rejects(async () => thread.solve(pinned), { code: 'bad_option', message: /--layers 1,2/ });
});

test('advice tells what would be better, and how far a plan is behind the best', async (t) => {
  const thread = new PlannerThread();
  t.after(() => thread.close());
  const request = paperRequest('3x M2 Ultra 192GB, gbe', 'deepseek-r1-4bit');
  const { plan } = solvePlan({ request, before: undefined }).plan;
  const best = await thread.advise(request, plan);
  assert.deepEqual([best.isExact, best.behindBestShare], [true, 0]);
  const pins = { layers: [24, 22, 15] };
  const worse = solvePlan({ request: { ...request, pins }, before: undefined }).plan;
  const { isExact, behindBestShare } = await thread.advise(request, worse.plan);
  assert.equal(isExact, false);
  assert.ok(behindBestShare > 0.05, String(behindBestShare));
});

test('closing refuses what is thought about and what waits', async () => {
  const thread = new PlannerThread();
  const question = { request: paperRequest(LARGE, 'deepseek-r1-4bit'), before: undefined };
  const refused = Promise.allSettled([thread.solve(question), thread.solve(question)]);
  await new Promise(setImmediate);
  await thread.close();
  for (const result of await refused) {
    assert.equal(result.status, 'rejected');
    assert.ok(result.reason instanceof EspalierError);
  }
});
