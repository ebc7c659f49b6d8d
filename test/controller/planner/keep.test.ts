import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { NodeLink, PlanRequest } from '../../../controller/planner/inputs.ts';
import { keepStages } from '../../../controller/planner/keep.ts';
import { estimatedLink } from '../../../controller/planner/links.ts';
import { costOf, type FoundPlan, findPlan } from '../../../controller/planner/planner.ts';
import { isBetterEnough } from '../../../controller/planner/stability.ts';
import { formatRange, type Link, type Plan } from '../../../protocol/plan.ts';
import { cardWith, GIB, node } from './support.ts';

const NAMES = ['a', 'b', 'c', 'd', 'e', 'f'];
const CABLE: Link = { kind: 'thunderbolt', label: 'en5', linkGbps: 16, roundTripMs: 0.5, source: 'measured' };

/** A row of cables, each measured as its number says. */
function row(roundTripsMs: readonly number[]): NodeLink[] {
  return roundTripsMs.map((roundTripMs, i) => ({
    between: [NAMES[i] as string, NAMES[i + 1] as string],
    link: { ...CABLE, roundTripMs },
  }));
}

function request(fields: Partial<PlanRequest> = {}): PlanRequest {
  return {
    card: cardWith({ layerBytes: new Array(60).fill(GIB) }),
    nodes: NAMES.map((name) => node(name)),
    links: row([0.5, 0.5, 0.5, 0.5, 0.5]),
    otherLink: estimatedLink('gbe'),
    ...{ goal: 'throughput', contextTokens: 256, streams: 1 },
    ...fields,
  };
}

function best(asked: PlanRequest): FoundPlan {
  return findPlan(asked) ?? assert.fail('nothing fits');
}

const words = ({ stages }: Plan) => stages.map(({ nodeId, range }) => `${nodeId} ${formatRange(range)}`);

describe('the plan after another one', () => {
  test('is the same when links are measured a little differently, whichever order is best now', () => {
    const before = best(request()).plan;
    let others = 0;
    for (const noise of [0.05, -0.05, 0.1, -0.1]) {
      // turned round, the closing hop and each other one cost something else
      const asked = request({ links: row([0.5 + noise, 0.5, 0.5 - noise, 0.5 + noise, 0.5]) });
      const reversed: FoundPlan = { ...best(asked), plan: turned(before) };
      assert.deepEqual(words(keepStages(asked, reversed, before).plan), words(before));
      others += words(reversed.plan)[0] === words(before)[0] ? 0 : 1;
    }
    assert.equal(others, 4);
  });

  test('over a cable that is gone keeps the stages where another way costs little', () => {
    const before = best(request()).plan;
    const asked = request({ links: row([0.5, 0.5, 0.5, 0.5, 0.5]).toSpliced(1, 1) });
    const kept = keepStages(asked, best(asked), before);
    assert.deepEqual(words(kept.plan), words(before));
    assert.deepEqual(
      kept.plan.links.map(({ label }) => label),
      ['en5', '1GbE', 'en5', 'en5', 'en5', '1GbE'],
    );
    const cost = costOf(asked, kept.plan) ?? assert.fail('it does not hold');
    assert.deepEqual([kept.sumNs, kept.maxNs], [cost.sumNs, cost.maxNs]);
  });

  test('without a node gives its layers to its neighbours where that is nearly as good', () => {
    // five take twelve layers each, and the slow one the last
    const nodes = NAMES.map((name) => node(name, name === 'f' ? { bandwidthGBps: 80 } : {}));
    const asked = request({ nodes, card: cardWith({ layerBytes: new Array(61).fill(GIB) }) });
    const before = best(asked).plan;
    assert.equal(before.stages.length, 6);
    const without = { ...asked, nodes: nodes.slice(0, 5) };
    const kept = keepStages(without, best(without), before);
    const moved = kept.plan.stages.filter(
      ({ nodeId, range }) =>
        JSON.stringify(range) !==
        JSON.stringify(before.stages.find((stage) => stage.nodeId === nodeId)?.range),
    );
    assert.equal(moved.length, 1, words(kept.plan).join(', '));
    assert.ok(!isBetterEnough(kept, best(without), 'throughput'));
  });

  test('gives the stability up where it costs too much, and where nothing is left', () => {
    const before = best(request()).plan;
    // two of six are gone: their neighbours would have twice as many layers as the others
    const asked = request({ nodes: ['a', 'd', 'e', 'f'].map((name) => node(name)) });
    const found = best(asked);
    const kept = keepStages(asked, found, before);
    assert.equal(kept.maxNs, found.maxNs);
    assert.deepEqual(
      kept.plan.stages.map(({ nodeId }) => nodeId),
      ['a', 'd', 'e', 'f'],
      'the order is kept',
    );
    const others = request({ nodes: [node('x'), node('y')] });
    const fresh = best(others);
    assert.equal(keepStages(others, fresh, before), fresh);
    assert.equal(keepStages(others, fresh, undefined), fresh);
    // a plan of another model has nothing to keep
    const longer = request({ card: cardWith({ layerBytes: new Array(61).fill(GIB) }) });
    const own = best(longer);
    assert.equal(keepStages(longer, own, before), own);
  });
});

function turned(plan: Plan): Plan {
  const ranges = plan.stages.map(({ range }) => range);
  const stages = plan.stages.toReversed().map((stage, index) => ({
    ...stage,
    index,
    range: ranges[index] as Plan['stages'][number]['range'],
  }));
  return { ...plan, stages };
}
