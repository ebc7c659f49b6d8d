// Which engine a plan is made for: on paper, with the model and the Macs that others published figures of.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { findEnginePlan, isFaster } from '../../../controller/planner/engines.ts';
import type { EngineWish, PlanRequest } from '../../../controller/planner/inputs.ts';
import { findPlan } from '../../../controller/planner/planner.ts';
import { predictPlan } from '../../../controller/planner/predict-plan.ts';
import { planReport } from '../../../controller/planner/report.ts';
import type { Link, Plan } from '../../../protocol/plan.ts';
import type { Split } from '../../../protocol/ranks.ts';
import { cardWith, GIB, node, paperRequest } from './support.ts';

const RDMA: Link = {
  kind: 'thunderbolt',
  label: 'RDMA',
  linkGbps: 60,
  roundTripMs: 0.02,
  source: 'measured',
};
const ETHERNET: Link = {
  kind: 'ethernet',
  label: '10GbE',
  linkGbps: 9.4,
  roundTripMs: 0.5,
  source: 'measured',
};

const studios = (count: number) =>
  Array.from({ length: count }, (_, i) =>
    node(`studio-${i + 1}`, { memoryBytes: 512 * GIB, bandwidthGBps: 819 }),
  );

function request(count: number, otherLink: Link, goal: PlanRequest['goal'] = 'latency'): PlanRequest {
  const { card } = paperRequest('2x Mac Studio M3 Ultra 512GB', 'DeepSeek-R1-4bit');
  return { card, nodes: studios(count), links: [], otherLink, goal, contextTokens: 4_096, streams: 1 };
}

/** The request with a wish; by default whichever is faster, and all nodes have MLX Distributed. */
const wished = (asked: PlanRequest, fields: Partial<EngineWish> = {}): PlanRequest => ({
  ...asked,
  engine: { choice: 'auto', readyNodes: asked.nodes.map(({ id }) => id), ...fields },
});

describe('one stream of R1 on Macs that all could hold it alone', () => {
  test('over RDMA tensor parallelism is faster, with the reason', () => {
    const asked = request(2, RDMA);
    const plan = findEnginePlan(wished(asked))?.plan;
    assert.equal(plan?.engine, 'mlx-distributed');
    assert.equal(plan?.split, 'tensor');
    assert.match(
      plan?.engineReason ?? '',
      /tensor parallel: [\d.]+ tok\/s of one stream are predicted, and [\d.]+ on node-mlx/,
    );
    assert.deepEqual(
      plan?.stages.map(({ range }) => range),
      [
        { start: 0, end: 61 },
        { start: 0, end: 61 },
      ],
    );
    const alone = findPlan(asked)?.plan;
    assert.ok(
      plan && alone && predictPlan(asked, plan, 1, 1_024) > 1.2 * predictPlan(asked, alone, 1, 1_024),
    );
  });

  test('over a network 122 all-reduces a token cost more than they save', () => {
    const asked = request(2, ETHERNET);
    const plan = findEnginePlan(wished(asked))?.plan;
    assert.equal(plan?.engine, 'node-mlx');
    assert.match(plan?.engineReason ?? '', /^node-mlx: /);
  });

  test('only nodes that have it count, and those that lack it are named', () => {
    const asked = request(2, RDMA);
    const plan = findEnginePlan(wished(asked, { readyNodes: ['studio-1'] }))?.plan;
    assert.equal(plan?.engine, 'node-mlx');
    assert.match(plan?.engineReason ?? '', /not installed on studio-2/);
    const nobody = findEnginePlan(wished(asked, { readyNodes: [] }))?.plan;
    assert.equal(nobody?.engine, 'node-mlx');
    assert.equal(nobody?.engineReason, undefined);
    assert.throws(
      () => findEnginePlan(wished(asked, { choice: 'mlx-distributed', readyNodes: [] })),
      /engine_not_installed|has no MLX Distributed/,
    );
  });
});

test('heads that do not divide, and shares that do not fit, are no tensor plan', () => {
  const asked = request(3, RDMA);
  const three = findEnginePlan(wished(asked, { choice: 'mlx-distributed', split: 'tensor' }))?.plan;
  // 128 heads: two of the three nodes
  assert.equal(three?.stages.length, 2);
  const small = { ...asked, nodes: asked.nodes.map((each) => ({ ...each, usableBytes: 128 * GIB })) };
  assert.throws(
    () => findEnginePlan(wished(small, { choice: 'mlx-distributed', split: 'tensor' })),
    /128 heads must divide/,
  );
  const apart = { ...request(2, RDMA), unlinked: [['studio-1', 'studio-2']] as const };
  assert.throws(
    () => findEnginePlan(wished(apart, { choice: 'mlx-distributed', split: 'tensor' })),
    /128 heads must divide/,
  );
  // streams that run already go on with the other split
  const one = { ...asked, nodes: asked.nodes.slice(0, 1) };
  const left = findEnginePlan(wished(one, { choice: 'mlx-distributed', split: 'tensor' }), true)?.plan;
  assert.equal(left?.split, 'pipeline');
  assert.match(left?.engineReason ?? '', /nodes that are left cannot share the heads/);
});

test("MLX's pipeline has room for embedding and head on every rank, and our split of the layers", () => {
  const card = cardWith({ layerBytes: new Array(10).fill(GIB), embeddingBytes: GIB, headBytes: GIB });
  const nodes = [node('a', { usableBytes: 8.5 * GIB }), node('b', { usableBytes: 8.5 * GIB })];
  const asked: PlanRequest = {
    card,
    nodes,
    links: [],
    otherLink: ETHERNET,
    goal: 'throughput',
    contextTokens: 100,
    streams: 1,
  };
  const plan = findEnginePlan(wished(asked, { choice: 'mlx-distributed', split: 'pipeline' }))?.plan;
  assert.deepEqual(
    plan?.stages.map(({ weightBytes }) => weightBytes / GIB),
    [7, 7],
  );
  const tight = nodes.map((each) => ({ ...each, usableBytes: 7.75 * GIB }));
  assert.equal(
    findEnginePlan(wished({ ...asked, nodes: tight }, { choice: 'mlx-distributed', split: 'pipeline' })),
    undefined,
  );
  // our own engine has them on the first and the last stage alone
  assert.ok(findPlan({ ...asked, nodes: tight }));
});

test('a plan in force gives way to a faster one, and never to itself', () => {
  const asked = request(2, RDMA);
  const tensor = findEnginePlan(wished(asked));
  const ours = findPlan(asked);
  assert.ok(tensor && ours);
  assert.equal(isFaster(asked, tensor.plan, tensor.plan), false);
  assert.equal(isFaster(asked, tensor.plan, ours.plan), true);
  assert.equal(isFaster(asked, ours.plan, tensor.plan), false);
});

test('a ring in force is judged by what its links are worth today; a better cable by what it gains', () => {
  const over = (link: Link, ...more: Link[]) => ({
    ...request(2, link),
    links: [link, ...more].map((each) => ({ between: ['studio-1', 'studio-2'] as const, link: each })),
  });
  const asked = wished(over(ETHERNET), { choice: 'mlx-distributed', split: 'tensor' });
  const inForce = findEnginePlan(asked)?.plan as Plan;
  const planAt = (today: PlanRequest) => findEnginePlan({ ...asked, links: today.links })?.plan as Plan;
  const betterAt = (today: PlanRequest) => isFaster({ ...asked, links: today.links }, planAt(today), inForce);
  // the same cable, measured anew: no reason to read R1's weights again
  const anew = over({ ...ETHERNET, roundTripMs: 0.3 });
  assert.ok(predictPlan(asked, planAt(anew), 1, 1_024) > 1.2 * predictPlan(asked, inForce, 1, 1_024));
  assert.equal(betterAt(anew), false);
  assert.equal(betterAt(over(ETHERNET, { ...ETHERNET, label: 'another', roundTripMs: 0.49 })), false);
  assert.equal(betterAt(over(ETHERNET, { ...ETHERNET, label: 'a cable', roundTripMs: 0.1 })), true);
});

test('a report of ranks tells what MLX does: one stage at a time, or sums in each layer', () => {
  const asked = request(2, ETHERNET, 'throughput');
  const reportOf = (split: Split) => {
    const { plan } = findEnginePlan(wished(asked, { choice: 'mlx-distributed', split })) as { plan: Plan };
    return planReport(asked, plan);
  };
  const ours = planReport(asked, (findPlan(asked) as { plan: Plan }).plan);
  const pipeline = reportOf('pipeline');
  const computeMs = pipeline.stages.reduce((sum, { decodeMs }) => sum + decodeMs, 0);
  const hopsMs = pipeline.hops.reduce((sum, { hopMs }) => sum + hopMs, 0);
  assert.ok(Math.abs(1000 / pipeline.predicted.oneStream - computeMs - hopsMs) < 1e-6);
  // four streams are four rows of one step, of which no stage begins before the one before it has ended
  assert.ok(pipeline.predicted.allStagesBusy < ours.predicted.allStagesBusy);
  assert.ok(pipeline.predicted.prefill.tokensPerSecond < 0.7 * ours.predicted.prefill.tokensPerSecond);
  const tensor = reportOf('tensor');
  const [rank, hop] = [tensor.stages[0], tensor.hops[0]];
  assert.ok(rank && hop);
  assert.ok(Math.abs(1000 / tensor.predicted.oneStream - rank.decodeMs - hop.hopMs) < 1e-6);
  assert.ok(rank.readBytes < (pipeline.stages[0]?.readBytes ?? 0) * 1.2);
  assert.ok(tensor.predicted.prefill.tokensPerSecond > 0);
});

test("what was measured of our stages says nothing of MLX's ranks", () => {
  const asked = wished(request(2, ETHERNET), { choice: 'mlx-distributed', split: 'pipeline' });
  const { plan } = findEnginePlan(asked) as { plan: Plan };
  const slow = { dense: { decodeMs: 500 }, experts: { decodeMs: 500 } };
  const measured = { ...asked, nodes: asked.nodes.map((each) => ({ ...each, measured: slow })) };
  assert.equal(predictPlan(measured, plan, 1, 1_024), predictPlan(asked, plan, 1, 1_024));
  assert.ok(planReport(measured, plan).stages.every(({ source }) => source === 'estimate'));
});
