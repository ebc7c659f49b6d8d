// The plan of a cluster of real processes: what the API tells is what the stages do, and what they need is learnt.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Measurements } from '../../controller/planner/measurements.ts';
import type { LayerRange } from '../../protocol/plan.ts';
import { PLAN_PATH, PlanReport } from '../../protocol/plan-report.ts';
import { run } from '../scripts/cli/run.ts';
import { TestCluster } from '../support/cluster.ts';
import { referenceCases } from '../support/reference.ts';
import { until } from '../support/until.ts';

test('the plan in force is that of the stages; what they took is used and kept', {
  timeout: 120_000,
}, async (t) => {
  const home = mkdtempSync(join(tmpdir(), 'espalier-plan-'));
  t.after(() => rmSync(home, { recursive: true, force: true }));
  const cluster = await TestCluster.up({ nodes: 3, controllerHome: home });
  let isDown = false;
  t.after(() => (isDown ? undefined : cluster.down()));
  const fetchPlan = async () => PlanReport.parse(await (await fetch(`${cluster.url}${PLAN_PATH}`)).json());

  const plan = await fetchPlan();
  const status = cluster.controller.status();
  assert.equal(plan.epoch, status.epoch);
  const places = (stages: readonly { nodeId: string; range: LayerRange }[]) =>
    stages.map(({ nodeId, range }) => ({ nodeId, range }));
  assert.deepEqual(places(plan.stages), places(status.stages));
  assert.ok(plan.stages.every(({ source }) => source === 'estimate'));
  assert.equal(plan.isExact, true);

  const { stdout, code } = await run(['plan', '--controller', cluster.url]);
  assert.equal(code, 0);
  assert.match(stdout, /^In force \(epoch 1\): espalier-demo, .* on 3 nodes for throughput/);

  const [{ prompt_ids: prompt = [] } = {}] = referenceCases;
  await until(async () => {
    await cluster.generate(prompt);
    return (await fetchPlan()).stages.every(({ source }) => source === 'measured');
  }, 'stages that were measured');
  const measured = await fetchPlan();
  assert.ok(measured.predicted.oneStream > 0 && Number.isFinite(measured.predicted.oneStream));
  await cluster.down();
  isDown = true;
  const kept = Measurements.parse(JSON.parse(readFileSync(join(home, 'measurements.json'), 'utf8')));
  const [times] = Object.values(kept);
  assert.ok((times?.experts?.decodeMs ?? 0) > 0 && (times?.dense?.decodeMs ?? 0) > 0, JSON.stringify(kept));
});
