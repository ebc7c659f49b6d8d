// The planner against brute force, on random clusters with limits, missing links and several links between the same nodes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NodeLink, PlanRequest } from '../../../controller/planner/inputs.ts';
import { findPlan } from '../../../controller/planner/planner.ts';
import type { Link } from '../../../protocol/plan.ts';
import { pick, type Random, seeded } from '../support.ts';
import { bruteForce, countPlan } from './brute-force.ts';
import { cardWith, GIB, node } from './support.ts';

/** nodes, layers, instances: brute force over six nodes and 24 layers tries 24 million layouts. */
const SIZES: readonly [nodes: number, layers: number, instances: number][] = [
  [1, 24, 40],
  [2, 24, 160],
  [3, 24, 220],
  [4, 16, 280],
  [5, 11, 170],
  [5, 24, 8],
  [6, 9, 120],
  [6, 24, 2],
];

function randomRequest(random: Random, nodeCount: number, layerCount: number): PlanRequest {
  const between = (low: number, high: number) => low + random() * (high - low);
  const layerKinds = Array.from({ length: layerCount }, () => pick(random, ['dense', 'experts'] as const));
  const layerBytes = layerKinds.map(() => between(0.2, 1.5) * GIB);
  const card = cardWith({
    layerBytes,
    layerKinds,
    routedLayerBytes: layerBytes.map((bytes, i) => (layerKinds[i] === 'experts' ? bytes * random() : 0)),
    experts: { total: 16, chosen: 2 },
    embeddingBytes: between(0, 1) * GIB,
    headBytes: between(0, 1) * GIB,
    kvValuesPerTokenLayer: Math.floor(between(0, 4000)),
    hiddenSize: 4096,
  });
  const nodes = Array.from({ length: nodeCount }, (_, i) =>
    node(`n${i}`, {
      usableBytes: between(0.7, pick(random, [1.4, 3])) * GIB * (1 + layerCount / nodeCount),
      bandwidthGBps: pick(random, [100, 200, 400, 800]),
      computeTflops: between(1, 30),
    }),
  );
  const link = (): Link => ({
    kind: 'ethernet',
    label: `${random()}`,
    linkGbps: pick(random, [0.005, 0.05, 1, 10]),
    roundTripMs: between(0.1, pick(random, [1, 10])),
    source: 'measured',
  });
  const links: NodeLink[] = [];
  for (const a of nodes)
    for (const b of nodes)
      if (a.id < b.id) {
        const count = Math.floor(random() * 3);
        for (let i = 0; i < count; i++)
          links.push({
            between: pick(random, [
              [a.id, b.id],
              [b.id, a.id],
            ]),
            link: link(),
          });
      }
  return {
    card,
    nodes,
    links,
    otherLink: random() < 0.5 ? link() : undefined,
    goal: pick(random, ['throughput', 'latency'] as const),
    contextTokens: pick(random, [256, 4_096, 16_384]),
    streams: pick(random, [1, 4]),
    maxStages: random() < 0.2 ? 1 + Math.floor(random() * nodeCount) : undefined,
  };
}

const isClose = (a: number, b: number) => Math.abs(a - b) <= 1e-5 * Math.max(a, b);

test('the plan is the best there is, on 1,000 random clusters of up to 6 nodes and 24 layers', () => {
  const random = seeded(5);
  let refused = 0;
  let total = 0;
  for (const [nodes, layers, instances] of SIZES) {
    for (let i = 0; i < instances; i++) {
      const request = randomRequest(random, nodes, layers);
      const { maxStages, ...unlimited } = request;
      // brute force knows no limit of stages: such requests are compared below
      const best = bruteForce(unlimited);
      const found = findPlan(unlimited);
      total += 1;
      const what = `${nodes} nodes, ${layers} layers, instance ${i}, ${request.goal}`;
      if (!found) {
        assert.equal(best.sumMs, Number.POSITIVE_INFINITY, `${what}: there is a plan`);
        refused += 1;
        continue;
      }
      assert.ok(found.isExact);
      const cost = countPlan(unlimited, found.plan);
      assert.ok(isClose(cost.sumMs, found.sumNs / 1e6) && isClose(cost.maxMs, found.maxNs / 1e6), what);
      assert.ok(isClose(cost.sumMs, best.sumMs), `${what}: sum ${cost.sumMs}, best ${best.sumMs}`);
      if (request.goal === 'throughput')
        assert.ok(isClose(cost.maxMs, best.maxMs), `${what}: slowest ${cost.maxMs}, best ${best.maxMs}`);
      if (maxStages === undefined) continue;
      const limited = findPlan(request);
      if (!limited) continue;
      assert.ok(limited.plan.stages.length <= maxStages, what);
      const { sumMs, maxMs } = countPlan(request, limited.plan);
      const isWorse =
        request.goal === 'latency' ? sumMs * 1.00001 >= cost.sumMs : maxMs * 1.00001 >= cost.maxMs;
      assert.ok(isWorse, `${what}: better with fewer stages`);
      if (found.plan.stages.length <= maxStages) assert.ok(isClose(sumMs, cost.sumMs), what);
    }
  }
  assert.equal(total, 1000);
  assert.ok(
    refused > 20 && refused < 400,
    `${refused} of them fit nowhere: the limits are not tested otherwise`,
  );
});

test('the heuristics of larger clusters come close to the best on small ones', () => {
  const random = seeded(6);
  const ratios: number[] = [];
  let missed = 0;
  for (let i = 0; i < 150; i++) {
    const request = { ...randomRequest(random, 7, 20), maxStages: undefined };
    const best = findPlan(request);
    if (!best) continue;
    const found = findPlan(request, 0);
    if (!found) {
      missed += 1;
      continue;
    }
    assert.equal(found.isExact, false);
    const cost = countPlan(request, found.plan);
    assert.ok(isClose(cost.sumMs, found.sumNs / 1e6) && isClose(cost.maxMs, found.maxNs / 1e6));
    ratios.push(request.goal === 'latency' ? found.sumNs / best.sumNs : found.maxNs / best.maxNs);
  }
  const bestOnes = ratios.filter((ratio) => ratio < 1.0001).length;
  assert.ok(ratios.length > 100 && missed <= 3, `${ratios.length} plans, none found for ${missed}`);
  assert.ok(Math.max(...ratios) < 1.2, `worst ${Math.max(...ratios)}`);
  assert.ok(bestOnes > 0.7 * ratios.length, `the best plan for ${bestOnes} of ${ratios.length}`);
});
