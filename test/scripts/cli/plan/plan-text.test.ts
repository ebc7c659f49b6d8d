import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makePlan } from '../../../../controller/planner/planner.ts';
import { planReport } from '../../../../controller/planner/report.ts';
import { planText } from '../../../../scripts/cli/plan/plan-text.ts';
import { paperRequest } from '../../../controller/planner/support.ts';

const request = paperRequest('3x M2 Ultra 192GB, thunderbolt ring', 'deepseek-r1-4bit');
const plan = makePlan(request);
const headline = (options: Parameters<typeof planReport>[2]) =>
  planText(planReport(request, plan, options), 300).split('\n')[0];

test('the first line says how good a plan is: the best, kept though another is faster, or not proven', () => {
  const best = 'In force (epoch 4): deepseek-r1-4bit, 352 GiB, on 3 nodes for throughput';
  assert.equal(headline({ epoch: 4, isExact: true }), best);
  assert.equal(
    headline({ epoch: 4, isExact: false, behindBestShare: 0.034 }),
    `${best}; the best plan is predicted to be 3.4 % faster, not enough to load weights anew`,
  );
  assert.match(headline({ isExact: false }) ?? '', /^On paper: .*; a good plan, not proven to be the best/);
});
