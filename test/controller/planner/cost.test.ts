// The cost model against figures that others have published, and against what must hold of any such model.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { builtinCard } from '../../../controller/models/builtin.ts';
import {
  activeLayerBytes,
  decodeLayerMs,
  ONE_ROW,
  prefillLayerMs,
} from '../../../controller/planner/cost.ts';
import { carryMs, estimatedLink, hopMs, linkTable } from '../../../controller/planner/links.ts';
import { makePlan } from '../../../controller/planner/planner.ts';
import { placePlan, predictDecode, predictPrefill } from '../../../controller/planner/predict.ts';
import { cardWith, GIB, node, paperRequest } from './support.ts';

const r1 = builtinCard('deepseek-r1-4bit');

function placed(hardware: string, model: string, goal: 'throughput' | 'latency' = 'throughput') {
  const request = paperRequest(hardware, model, { goal, contextTokens: 4_096 });
  return placePlan(request.card, makePlan(request), request.nodes);
}

const within = (actual: number, expected: number, share: number) =>
  assert.ok(Math.abs(actual / expected - 1) <= share, `${actual}, published ${expected}`);

test('one M3 Ultra: the published decode and prefill of R1', () => {
  const one = placed('M3 Ultra 512GB', 'deepseek-r1-4bit');
  within(predictDecode(one, 1), 20.2, 0.05);
  within(predictPrefill(one, 512), 168.9, 0.1);
  within(predictPrefill(one, 4_096), 159.6, 0.1);
});

test('one M4 mini: the published decode and prefill of Llama 8B', () => {
  const one = placed('M4 mini 16GB', 'deepseek-r1-distill-llama-8b-4bit');
  within(predictDecode(one, 1, 128), 20.87, 0.1);
  within(predictPrefill(one, 512), 224.8, 0.25);
});

test('a step of several rows reads the experts that any of them chose', () => {
  const expected = (rows: number) => {
    const routed = r1.routedLayerBytes[30] as number;
    return (r1.layerBytes[30] as number) - routed * (248 / 256) ** rows;
  };
  for (const rows of [1, 2, 16]) assert.equal(activeLayerBytes(r1, 30, rows), expected(rows));
  assert.ok(
    activeLayerBytes(r1, 30, 1) < 0.06 * (r1.layerBytes[30] as number),
    'one token, 8 of 256 experts',
  );
  assert.ok(
    activeLayerBytes(r1, 30, 512) > 0.99 * (r1.layerBytes[30] as number),
    'a chunk touches all of them',
  );
  assert.equal(activeLayerBytes(r1, 0, 1), r1.layerBytes[0], 'dense layers are read whole');
});

test('what was measured comes before the estimate, scaled to more rows and longer contexts as the estimate is', () => {
  const at = node('a');
  const measured = node('a', { measured: { experts: { decodeMs: 7, prefillMsPerToken: 0.5 } } });
  assert.equal(decodeLayerMs(r1, 30, measured, ONE_ROW), 7);
  assert.equal(decodeLayerMs(r1, 0, measured, ONE_ROW), decodeLayerMs(r1, 0, at, ONE_ROW), 'of another kind');
  const load = { rows: 8, contextTokens: 50_000 };
  const factor = decodeLayerMs(r1, 30, measured, load) / decodeLayerMs(r1, 30, at, load);
  assert.ok(Math.abs(factor - 7 / decodeLayerMs(r1, 30, at, ONE_ROW)) < 1e-9);
  assert.ok(prefillLayerMs(r1, 30, measured, 512, 0) >= 256);
});

test('prefill of few tokens waits for the weights, of many for the products', () => {
  const at = node('a');
  const perToken = (tokens: number) => prefillLayerMs(r1, 30, at, tokens, 0) / tokens;
  assert.ok(perToken(8) > 2 * perToken(512));
  assert.ok(
    prefillLayerMs(r1, 30, at, 512, 100_000) > prefillLayerMs(r1, 30, at, 512, 0),
    'a longer prompt before it',
  );
  const faster = node('b', { computeTflops: 54 });
  assert.ok(prefillLayerMs(r1, 30, faster, 512, 0) < 0.6 * prefillLayerMs(r1, 30, at, 512, 0));
});

test('a pipeline: no faster for one stream, as many times faster for several as there are stages', () => {
  const one = predictDecode(placed('M3 Ultra 512GB', 'deepseek-r1-4bit'), 1);
  const four = placed('4x M3 Ultra 512GB, thunderbolt ring', 'deepseek-r1-4bit');
  assert.equal(four.stages.length, 4);
  assert.ok(predictDecode(four, 1) < one && predictDecode(four, 1) > 0.9 * one);
  assert.ok(predictDecode(four, 4) > 3.5 * one && predictDecode(four, 4) < 4 * one);
  for (const streams of [1, 2, 3, 4, 8, 32])
    assert.ok(predictDecode(four, 2 * streams) >= predictDecode(four, streams), `${streams} streams`);
  const prefill =
    predictPrefill(four, 16_384) / predictPrefill(placed('M3 Ultra 512GB', 'deepseek-r1-4bit'), 16_384);
  assert.ok(prefill > 3 && prefill < 4, `${prefill}`);
  const short = predictPrefill(four, 256) / predictPrefill(placed('M3 Ultra 512GB', 'deepseek-r1-4bit'), 256);
  assert.ok(short < 1.05, 'one chunk is on one stage at a time');
});

test('a busy link slows all streams down, a long way only the single one', () => {
  const card = cardWith({ layerBytes: new Array(8).fill(GIB), hiddenSize: 8192 });
  const stages = [
    { node: node('a'), range: { start: 0, end: 4 } },
    { node: node('b'), range: { start: 4, end: 8 } },
  ];
  const pair = (link: ReturnType<typeof estimatedLink>) => ({ card, stages, links: [link, link] });
  const cable = estimatedLink('thunderbolt-5');
  const near = pair(cable);
  const narrow = pair({ ...cable, linkGbps: 0.005 });
  assert.ok(predictDecode(narrow, 2) < 0.6 * predictDecode(near, 2));
  const carry = carryMs({ ...cable, linkGbps: 0.005 }, 8192 * 2 + 44);
  assert.ok(predictDecode(narrow, 64) < 1000 * (64 / 2 / carry), 'no step is faster than its link');
});

test('links: half a round trip and the bytes; those of a pair in either order, else the network that all are on', () => {
  const link = { ...estimatedLink('gbe'), linkGbps: 1, roundTripMs: 2 };
  assert.equal(carryMs(link, 125_000), 1);
  assert.equal(hopMs(link, 125_000), 2);
  const other = estimatedLink('wifi');
  const between = linkTable([{ between: ['b', 'a'], link }], other);
  assert.deepEqual(between('a', 'b'), [link]);
  assert.deepEqual(between('a', 'c'), [other]);
  assert.deepEqual(linkTable([], undefined)('a', 'b'), []);
});
