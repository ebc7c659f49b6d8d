// Where plans put a draft: beside the first stage or on a node of its own, by what one stream gains and by what memory there is.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { PlannerNode, PlanRequest } from '../../../controller/planner/inputs.ts';
import { estimatedLink, type LinkName } from '../../../controller/planner/links.ts';
import { draftBytes, plannedKvTokens, roomBytes } from '../../../controller/planner/memory.ts';
import { costOf, findPlan } from '../../../controller/planner/planner.ts';
import { placePlan, predictGuessed } from '../../../controller/planner/predict.ts';
import { planReport } from '../../../controller/planner/report.ts';
import { solvePlan } from '../../../controller/planner/solve.ts';
import { cardWith, GIB, node } from './support.ts';

/** Two stages of four seconds' worth of layers, and a draft that takes an eighth of one. */
const card = cardWith({
  layerBytes: new Array(8).fill(GIB),
  kvValuesPerTokenLayer: 64,
  draft: { weightBytes: GIB / 2, bytes: GIB, layerCount: 8 },
});

function request(
  nodes: PlannerNode[],
  fields: Partial<PlanRequest> = {},
  link: LinkName = 'thunderbolt-5',
): PlanRequest {
  return {
    ...{ card, nodes, links: [], otherLink: estimatedLink(link), goal: 'throughput' },
    ...{ contextTokens: 1_000, streams: 1, pins: { layers: [4, 4] }, ...fields },
  };
}

const three = () => [node('a'), node('b'), node('c')];
const found = (asked: PlanRequest) => findPlan(asked) ?? assert.fail('nothing fits');
const draftOf = (asked: PlanRequest) => found(asked).plan.draft;
const rateOf = (asked: PlanRequest) =>
  predictGuessed(placePlan(asked.card, found(asked).plan, asked.nodes), 0.7);

describe('the place of a draft', () => {
  test('is a node without a stage, where one stream is faster with it there', () => {
    const draft = draftOf(request(three()));
    assert.equal(draft?.place, 'apart');
    assert.equal(draft?.nodeId, 'c');
    assert.match(
      draft?.reason ?? '',
      /c has no stage; one stream with 70 % of the guesses right: [\d.]+ tok\/s/,
    );
    const [apart, head] = (['apart', 'head'] as const).map((draftPlace) =>
      rateOf(request(three(), { draftPlace })),
    );
    assert.ok((apart ?? 0) > (head ?? 0));
  });

  test('is beside the first stage where the way to any other takes longer than the draft does', () => {
    const draft = draftOf(request(three(), {}, 'wifi'));
    assert.equal(draft?.place, 'head');
    assert.match(draft?.reason ?? '', /c has no stage; one stream/, 'both are told');
  });

  test('is no node without room for it, and none that may not be used', () => {
    const small = node('c', { memoryBytes: GIB });
    assert.notEqual(draftOf(request([node('a'), node('b'), small]))?.nodeId, 'c');
    for (const fields of [{ pins: { layers: [4, 4], exclude: ['c'] } }, { maxStages: 2 }])
      assert.notEqual(draftOf(request(three(), fields))?.nodeId, 'c');
  });

  test('is beside another stage where the first has no room, and leaves that less KV', () => {
    // room for half of the layers and nothing else
    const room =
      4 * GIB +
      64 * 1024 * 1024 +
      (node('a', { memoryBytes: 8 * GIB }).memoryBytes - roomBytes(node('a', { memoryBytes: 8 * GIB })));
    const nodes = [
      node('a', { memoryBytes: room }),
      node('b', { memoryBytes: 5.7 * GIB + draftBytes(card) }),
    ];
    const { plan } = found(request(nodes, { pins: { layers: [4, 4], nodes: ['a', 'b'] } }));
    assert.equal(plan.draft?.nodeId, 'b');
    const placed = placePlan(card, plan, nodes);
    assert.equal(placed.stages[1]?.node.usableBytes, 5.7 * GIB + draftBytes(card) - (plan.draft?.bytes ?? 0));
    assert.equal(plan.kvTokens, plannedKvTokens(placed.card, placed.stages));
    const none = findPlan(request([nodes[0] as PlannerNode, node('b', { memoryBytes: 5 * GIB })]));
    assert.equal(none, undefined, 'there must be room somewhere');
  });

  test('is what was asked for, where that can be', () => {
    assert.equal(draftOf(request(three(), { draftPlace: 'apart' }, 'wifi'))?.place, 'apart');
    assert.equal(draftOf(request(three(), { draftPlace: 'head' }))?.place, 'head');
    assert.equal(draftOf(request([node('a')], { pins: {}, draftPlace: 'apart' })), undefined, 'one stage');
  });

  test('the goal of many streams is never worse for it', () => {
    for (const nodes of [three(), [node('a'), node('b', { bandwidthGBps: 400 }), node('c')]]) {
      const asked = request(nodes, { pins: {} });
      const alone = found({ ...asked, card: cardWith({ ...card, draft: undefined } as never) });
      assert.equal(found(asked).maxNs, alone.maxNs);
    }
  });

  test('for latency the better one is taken, the draft beside the first stage making its steps longer', () => {
    const wish = { goal: 'latency', guessYield: 0.7, pins: {} } as const;
    for (const link of ['thunderbolt-5', 'wifi'] as const) {
      const best = rateOf(request(three(), wish, link));
      for (const draftPlace of ['apart', 'head'] as const)
        assert.ok(best >= rateOf(request(three(), { ...wish, draftPlace }, link)) - 1e-9);
    }
  });

  test('a plan is kept with its draft where nothing has changed, and costs what it did', () => {
    for (const goal of ['throughput', 'latency'] as const) {
      const asked = request(three(), { goal, guessYield: 0.7 });
      const first = solvePlan({ request: asked, before: undefined }).plan;
      const again = solvePlan({ request: asked, before: first.plan });
      assert.deepEqual(again.plan.plan, first.plan);
      assert.equal(again.better, undefined);
      const { sumNs, maxNs, tokenNs } = first;
      assert.deepEqual(costOf(asked, first.plan), { sumNs, maxNs, tokenNs });
    }
  });

  test('a plan whose draft lost its node costs what the best other place does, or what it does without guesses', () => {
    const wish = { goal: 'latency', guessYield: 0.7 } as const;
    const { plan } = found(request(three(), { ...wish, draftPlace: 'apart' }));
    assert.equal(plan.draft?.nodeId, 'c');
    const left = request(three().slice(0, 2), wish);
    const elsewhere = found({ ...left, draftPlace: 'apart' });
    assert.equal(elsewhere.plan.draft?.nodeId, 'b');
    assert.equal(costOf(left, plan)?.tokenNs, elsewhere.tokenNs);
    const tight = request([node('a'), node('b', { memoryBytes: 5 * GIB })], wish);
    const alone = costOf(tight, plan);
    assert.equal(alone?.tokenNs, alone?.sumNs);
    assert.equal(solvePlan({ request: tight, before: plan }).better?.plan.draft?.place, 'head');
    assert.equal(costOf(request([node('a')], wish), plan), undefined, 'a stage is gone, too');
  });

  test('is told in the report, with what a guess takes and how far it is', () => {
    const asked = request(three());
    const { draft, leftOut } = planReport(asked, found(asked).plan);
    assert.equal(draft?.node, 'c');
    assert.equal(draft?.bytes, draftBytes(card));
    assert.ok((draft?.guessMs ?? 0) > 0 && (draft?.roundTripMs ?? 0) > 0.6);
    assert.deepEqual(leftOut, []);
  });
});
