import assert from 'node:assert/strict';
import { test } from 'node:test';
import { planImprovements } from '../../../controller/planner/improvements.ts';
import { makePlan } from '../../../controller/planner/planner.ts';
import { placePlan, predictDecode } from '../../../controller/planner/predict.ts';
import { planReport } from '../../../controller/planner/report.ts';
import { PlanReport } from '../../../protocol/plan-report.ts';
import { paperRequest } from './support.ts';

function report(
  hardware: string,
  model = 'deepseek-r1-4bit',
  fields: Parameters<typeof paperRequest>[2] = {},
) {
  const request = paperRequest(hardware, model, fields);
  const plan = makePlan(request);
  return planReport(request, plan, { improvements: planImprovements(request, plan) });
}

const limit = (of: PlanReport, what: string) => of.limits.find((each) => each.of === what);

test('it is what the schema says, and survives JSON', () => {
  const told = report('6x M2 Ultra 192GB, thunderbolt ring');
  assert.deepEqual(PlanReport.parse(JSON.parse(JSON.stringify(told))), told);
});

test('hops: from each stage to the next and back to the first, which carries tokens only', () => {
  const { hops } = report('3x M2 Ultra 192GB, thunderbolt ring');
  assert.deepEqual(
    hops.map(({ from, to }) => `${from} ${to}`),
    ['m2-ultra-1 m2-ultra-2', 'm2-ultra-2 m2-ultra-3', 'm2-ultra-3 m2-ultra-1'],
  );
  assert.equal(hops[0]?.bytes, 7168 * 2 + 48);
  assert.ok((hops[2]?.bytes ?? 0) < 100);
  assert.deepEqual(report('M3 Ultra 512GB').hops, []);
});

test('what limits: bandwidth with its arithmetic, a link, memory or the model', () => {
  const one = report('M3 Ultra 512GB');
  const words = limit(one, 'one stream')?.text ?? '';
  const read =
    /read ([\d.]+) GB a step at ([\d.]+) GB\/s .* = ([\d.]+) ms, and ([\d.]+) ms of overhead: ([\d.]+) ms/.exec(
      words,
    );
  const [gb, rate, readMs, overheadMs, totalMs] = (read ?? []).slice(1).map(Number) as number[];
  assert.ok(gb && rate && readMs && overheadMs && totalMs, words);
  assert.ok(Math.abs((1000 * gb) / rate - readMs) < 1, words);
  assert.ok(Math.abs(readMs + overheadMs - totalMs) <= 1, words);
  assert.equal(limit(one, 'one stream')?.by, 'bandwidth');
  assert.equal(limit(one, 'context')?.by, 'model');
  const far = report('6x M2 Ultra 192GB, wifi');
  assert.equal(limit(far, 'all stages busy')?.by, 'link');
  assert.match(
    limit(far, 'all stages busy')?.text ?? '',
    /the slowest hop is m2-ultra-1 → m2-ultra-2 over Wi-Fi/,
  );
  const tight = report('8x M4 Pro mini 64GB limit 55GB, thunderbolt ring', 'deepseek-r1-4bit', {
    contextTokens: 8_192,
  });
  const context = limit(tight, 'context');
  assert.equal(context?.by, tight.longestContextTokens < 163_840 ? 'memory' : 'model');
  assert.ok(tight.longestContextTokens >= 8_192);
});

test('what would be better is what planning the change anew says', () => {
  const { improvements, predicted } = report('6x M2 Ultra 192GB, wifi');
  const node = improvements.find(({ change }) => change.startsWith('one more node'));
  const cables = improvements.find(({ change }) => change.startsWith('6 Thunderbolt cables'));
  assert.ok(node && cables, JSON.stringify(improvements));
  const ring = paperRequest('6x M2 Ultra 192GB, thunderbolt ring', 'deepseek-r1-4bit');
  const cabled = predictDecode(placePlan(ring.card, makePlan(ring), ring.nodes), 6);
  assert.ok(Math.abs(cables.allStagesBusy / cabled - 1) < 1e-9);
  const seven = paperRequest('7x M2 Ultra 192GB, wifi', 'deepseek-r1-4bit');
  const larger = predictDecode(placePlan(seven.card, makePlan(seven), seven.nodes), 7);
  assert.ok(Math.abs(node.allStagesBusy / larger - 1) < 1e-9);
  for (const { gainShare, allStagesBusy } of improvements) {
    assert.ok(gainShare >= 0.02);
    assert.ok(Math.abs(allStagesBusy / predicted.allStagesBusy - 1 - gainShare) < 1e-9);
  }
  const gains = improvements.map(({ gainShare }) => gainShare);
  assert.deepEqual(
    gains,
    [...gains].sort((a, b) => b - a),
  );
});

test('a smaller quantization is among them where it is faster', () => {
  const { improvements } = report('2x M3 Ultra 512GB, thunderbolt', 'deepseek-r1-8bit');
  assert.ok(improvements.some(({ change }) => change.includes('the smaller quantization deepseek-r1-4bit')));
});

test('what it rests on: estimates are called so, and 3 bits that take the room of 4', () => {
  const { assumptions } = report('3x M2 Ultra 192GB, thunderbolt ring', 'deepseek-r1-3bit');
  const text = assumptions.join('\n');
  assert.match(text, /^M2 Ultra: 800 GB\/s .* \(estimates\)$/m);
  assert.match(text, /^of 192\.0 GiB of memory, 144\.0 GiB may be used \(estimate\)$/m);
  assert.match(text, /^links: Thunderbolt 4 16 Gbit\/s and a round trip of 0\.6 ms \(estimates\)$/m);
  assert.match(text, /^weights of 3-bit take 273\.\d GiB in files and 351\.\d GiB in memory/m);
});

test('nodes that are left out are named', () => {
  const { leftOut, stages } = report('2x M3 Ultra 512GB, thunderbolt', 'deepseek-r1-4bit', {
    goal: 'latency',
  });
  assert.equal(stages.length, 1);
  assert.deepEqual(leftOut, ['m3-ultra-2']);
});
