import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { NodeLink, PlanRequest } from '../../../controller/planner/inputs.ts';
import { estimatedLink, UNKNOWN_LINK } from '../../../controller/planner/links.ts';
import { costOf, findPlan, makePlan, withLinksOfToday } from '../../../controller/planner/planner.ts';
import { planReport } from '../../../controller/planner/report.ts';
import { isBetterEnough } from '../../../controller/planner/stability.ts';
import { KV_BLOCK_TOKENS } from '../../../protocol/limits.ts';
import type { Plan } from '../../../protocol/plan.ts';
import { cardWith, GIB, node, paperRequest } from './support.ts';

const equal = cardWith({ layerBytes: new Array(12).fill(GIB) });

function request(fields: Partial<PlanRequest> = {}): PlanRequest {
  return {
    card: equal,
    nodes: [node('a'), node('b'), node('c')],
    links: [],
    otherLink: estimatedLink('10gbe'),
    goal: 'throughput',
    contextTokens: 256,
    streams: 1,
    ...fields,
  };
}

const layers = ({ stages }: Plan) =>
  stages.map(({ nodeId, range }) => `${nodeId} ${range.start}-${range.end}`);

describe('DeepSeek R1', () => {
  test('4-bit on six M2 Ultra of 192 GB: every layer once, every node within its limit', () => {
    const asked = paperRequest('6x Mac Studio M2 Ultra 192GB, thunderbolt ring', 'deepseek-r1-4bit');
    const plan = makePlan(asked);
    const covered = plan.stages.flatMap(({ range }) =>
      Array.from({ length: range.end - range.start }, (_, i) => range.start + i),
    );
    assert.deepEqual(covered, [...Array(61).keys()]);
    assert.equal(plan.stages.length, 6);
    assert.equal(plan.links.length, 6);
    assert.ok(plan.kvTokens >= 16_384);
    for (const { memory } of planReport(asked, plan).stages) {
      assert.ok(memory.freeBytes >= 0, JSON.stringify(memory));
      assert.equal(memory.usableBytes, 144 * GIB);
      const parts = memory.weightBytes + memory.kvBytes + memory.scratchBytes + memory.engineBytes;
      assert.ok(Math.abs(parts + memory.freeBytes - memory.usableBytes) < 1);
    }
    const weights = plan.stages.reduce((sum, { weightBytes }) => sum + weightBytes, 0);
    assert.ok(Math.abs(weights - 377.6e9) < 0.1e9, `${weights}`);
  });

  test('4-bit on two minis of 64 GB: refused, with what is missing and what would do', () => {
    const minis = (count: number) => paperRequest(`${count}x M4 Pro mini 64GB`, 'deepseek-r1-4bit');
    assert.throws(() => makePlan(minis(2)), {
      code: 'not_enough_nodes',
      message:
        /^deepseek-r1-4bit does not fit: it takes 352\.7 GiB \(weights 351\.7 GiB, KV 1\.1 GiB\), 2 nodes have 93\.5 GiB for it, 259\.2 GiB \(278\.4 GB\) are missing\. What would do: .*another model: deepseek-r1-distill-llama-70b-8bit .*; 7 more nodes of 64\.0 GiB\.$/,
    });
    // what is proposed does, and less does not
    makePlan(minis(9));
    assert.throws(() => makePlan(minis(8)), { code: 'not_enough_nodes' });
  });

  test('8-bit where only 4-bit fits: the smaller quantization is named', () => {
    const asked = paperRequest('M3 Ultra 512GB', 'deepseek-r1-8bit');
    assert.throws(() => makePlan(asked), {
      message: /the smaller quantization deepseek-r1-4bit \(351\.7 GiB\); 1 more node/,
    });
  });

  test('a context that does not fit: the longest half that does is named', () => {
    const asked = paperRequest('2x M3 Ultra 256GB', 'deepseek-r1-4bit', {
      contextTokens: 163_840,
      streams: 8,
    });
    const message = /What would do: a context of 40,960 tokens; /;
    assert.throws(() => makePlan(asked), { message });
    makePlan({ ...asked, contextTokens: 40_960 });
  });
});

describe('throughput', () => {
  test('equal nodes share the layers, in the order of their names, whoever was found first', () => {
    const nodes = ['studio-10', 'studio-2', 'studio-1'].map((name) => node(name));
    const plans = [nodes, [...nodes].reverse()].map((each) => makePlan(request({ nodes: each })));
    assert.deepEqual(layers(plans[0] as Plan), ['studio-1 0-4', 'studio-2 4-8', 'studio-10 8-12']);
    assert.deepEqual(plans[0], plans[1]);
  });

  test('a node of half the bandwidth gets half the layers', () => {
    const nodes = [node('a'), node('b'), node('slow', { bandwidthGBps: 400 })];
    const counts = makePlan(request({ nodes })).stages.map(
      ({ nodeId, range }) => `${nodeId} ${range.end - range.start}`,
    );
    assert.deepEqual(counts.sort(), ['a 5', 'b 5', 'slow 2']);
  });

  test('a node whose link would be busy for longer than the others need for its layers is left out', () => {
    const wire = { ...estimatedLink('gbe'), linkGbps: 0.001 };
    const links = ['a', 'b'].map((other): NodeLink => ({ between: ['c', other], link: wire }));
    assert.deepEqual(layers(makePlan(request({ links }))), ['a 0-6', 'b 6-12']);
  });

  test('the head counts where it lies', () => {
    const card = cardWith({ layerBytes: new Array(12).fill(GIB), headBytes: 4 * GIB });
    assert.deepEqual(layers(makePlan(request({ card }))), ['a 0-5', 'b 5-10', 'c 10-12']);
  });

  test('no more stages than layers, nor than are allowed', () => {
    const card = cardWith({ layerBytes: [GIB, GIB] });
    assert.equal(makePlan(request({ card })).stages.length, 2);
    assert.equal(makePlan(request({ maxStages: 2 })).stages.length, 2);
  });

  test('where memory forces an uneven split, what is left of it is spread evenly', () => {
    const asked = paperRequest('6x M2 Ultra 192GB, thunderbolt ring', 'deepseek-r1-4bit');
    const counts = makePlan(asked).stages.map(({ range }) => range.end - range.start);
    assert.ok(Math.max(...counts.slice(1)) - Math.min(...counts.slice(1)) <= 1, `${counts}`);
  });
});

describe('latency', () => {
  test('one node that holds everything beats several', () => {
    assert.deepEqual(layers(makePlan(request({ goal: 'latency' }))), ['a 0-12']);
  });

  test('as few nodes as hold it, over the fastest links', () => {
    const nodes = ['a', 'b', 'c', 'd'].map((name) =>
      node(name, { memoryBytes: 16 * GIB, usableBytes: 8 * GIB }),
    );
    const cable = estimatedLink('thunderbolt-5');
    const links: NodeLink[] = [
      { between: ['b', 'd'], link: cable },
      { between: ['d', 'b'], link: estimatedLink('wifi') },
    ];
    const plan = makePlan(request({ nodes, links, otherLink: estimatedLink('gbe'), goal: 'latency' }));
    assert.deepEqual(layers(plan), ['b 0-6', 'd 6-12']);
    assert.deepEqual(plan.links, [cable, cable]);
  });
});

test('nodes without a link between them are no neighbours', () => {
  const [link] = [estimatedLink('gbe')];
  const links: NodeLink[] = [
    { between: ['a', 'b'], link },
    { between: ['b', 'c'], link },
  ];
  // a ring over all three would need a cable from c to a
  const plan = makePlan(request({ links, otherLink: undefined }));
  assert.equal(plan.stages.length, 2);
  assert.ok(plan.stages.some(({ nodeId }) => nodeId === 'b'));
});

test('KV: what the stage with the least room holds, whole blocks, four full conversations at most', () => {
  const card = cardWith({
    layerBytes: new Array(4).fill(GIB),
    kvValuesPerTokenLayer: 1_000,
    contextTokens: 1e6,
  });
  const small = node('small', { memoryBytes: 16 * GIB, usableBytes: 6 * GIB });
  const { stages, kvTokens, prefillBytes } = makePlan(request({ card, nodes: [small, node('wide')] }));
  const counts = Object.fromEntries(stages.map(({ nodeId, range }) => [nodeId, range.end - range.start]));
  assert.deepEqual(counts, { small: 2, wide: 2 });
  // 6 GiB less the engine, the scratch of 256 MiB each, and two layers; two bytes a value
  assert.equal(kvTokens, KV_BLOCK_TOKENS * Math.floor((3.5 * GIB) / (2 * 1_000 * 2) / KV_BLOCK_TOKENS));
  assert.equal(prefillBytes, GIB / 4);
  const short = { ...card, contextTokens: 1_000 };
  assert.equal(
    makePlan(request({ card: short, nodes: [node('wide')] })).kvTokens,
    256 * Math.floor(4_000 / 256),
  );
});

test('the KV of all asked conversations is part of what must fit', () => {
  const card = cardWith({ layerBytes: [GIB, GIB], kvValuesPerTokenLayer: 1_000, contextTokens: 1e6 });
  const nodes = [node('a', { memoryBytes: 16 * GIB, usableBytes: 4 * GIB })];
  const tokens = 512 * 1024;
  // 1.5 GiB are left for KV of 4,000 bytes a token
  assert.equal(findPlan(request({ card, nodes, contextTokens: tokens, streams: 1 })), undefined);
  assert.ok(findPlan(request({ card, nodes, contextTokens: tokens / 2, streams: 1 })));
  assert.equal(findPlan(request({ card, nodes, contextTokens: tokens / 2, streams: 2 })), undefined);
});

describe('pins', () => {
  test('nodes: exactly these, in this order', () => {
    const plan = makePlan(request({ pins: { nodes: ['c', 'a'] } }));
    assert.deepEqual(layers(plan), ['c 0-6', 'a 6-12']);
  });

  test('layers: each stage its own, on whichever nodes suit', () => {
    const nodes = [node('a'), node('b'), node('slow', { bandwidthGBps: 200 })];
    const plan = makePlan(request({ nodes, pins: { layers: [5, 2, 5] } }));
    assert.deepEqual(layers(plan), ['a 0-5', 'slow 5-7', 'b 7-12']);
    assert.deepEqual(layers(makePlan(request({ pins: { layers: [10, 2], nodes: ['b', 'a'] } }))), [
      'b 0-10',
      'a 10-12',
    ]);
  });

  test('exclude: never these', () => {
    assert.deepEqual(layers(makePlan(request({ pins: { exclude: ['a'] } }))), ['b 0-6', 'c 6-12']);
  });

  test('over more nodes than are searched exactly, too', () => {
    const nodes = Array.from({ length: 10 }, (_, i) => node(`n${i}`));
    const plan = makePlan(request({ nodes, pins: { layers: [3, 3, 6] } }));
    assert.deepEqual(
      plan.stages.map(({ range }) => range.end),
      [3, 6, 12],
    );
  });

  test('what cannot be kept is said', () => {
    const refused = (pins: PlanRequest['pins'], message: RegExp) =>
      assert.throws(() => makePlan(request({ pins })), { code: 'bad_option', message });
    refused({ nodes: ['a', 'x'] }, /--order: there is no node x; there are: a, b, c/);
    refused({ nodes: ['a', 'a'] }, /named twice/);
    refused({ nodes: ['a'], exclude: ['a'] }, /a is also among --order/);
    refused({ exclude: ['x'] }, /--exclude: there is no node x/);
    refused({ layers: [5, 5] }, /--layers 5,5: they add up to 10, but the model has 12 layers/);
    refused({ layers: [12, 0] }, /at least one a stage/);
    refused({ layers: [6, 6], nodes: ['a'] }, /2 stages, but --order names 1/);
  });

  test('pins that leave too little: not_enough_nodes', () => {
    const nodes = ['a', 'b'].map((name) => node(name, { memoryBytes: 16 * GIB, usableBytes: 8 * GIB }));
    assert.throws(() => makePlan(request({ nodes, pins: { nodes: ['a'] } })), {
      code: 'not_enough_nodes',
      message: /a has 7\.5 GiB for it, 4\.5 GiB .* are missing.*other nodes than the pinned ones/,
    });
    assert.throws(() => makePlan(request({ nodes: [node('a')], pins: { exclude: ['a'] } })), {
      code: 'bad_option',
      message: '--exclude leaves none of the nodes (a)',
    });
    assert.throws(() => makePlan(request({ nodes: [] })), {
      code: 'not_enough_nodes',
      message: /no node is connected that may be used/,
    });
  });
});

test('layers that fit in sum but not whole: said so', () => {
  const card = cardWith({ layerBytes: new Array(3).fill(4 * GIB) });
  const nodes = ['a', 'b'].map((name) => node(name, { memoryBytes: 16 * GIB, usableBytes: 7 * GIB }));
  assert.throws(() => makePlan(request({ card, nodes })), {
    message:
      /2 nodes have 13\.0 GiB for it, but not in one piece: a layer of 4\.0 GiB lies whole on one node/,
  });
});

describe('nodes that do not reach one another', () => {
  const card = cardWith({ layerBytes: new Array(6).fill(GIB) });
  const nodes = ['a', 'b', 'c', 'd'].map((name) =>
    node(name, { memoryBytes: 16 * GIB, usableBytes: 4 * GIB }),
  );
  const asked = (unlinked: PlanRequest['unlinked'], count = 4, pins?: PlanRequest['pins']) =>
    request({ card, nodes: nodes.slice(0, count), unlinked, pins, otherLink: UNKNOWN_LINK });

  test('are no neighbours, in either direction, whatever link is named between them', () => {
    const unlinked = [['a', 'b'] as const, ['d', 'c'] as const];
    const links = [{ between: ['b', 'a'] as const, link: estimatedLink('thunderbolt-5') }];
    for (const goal of ['throughput', 'latency'] as const) {
      const order = makePlan({ ...asked(unlinked), links, goal }).stages.map(({ nodeId }) => nodeId);
      const hops = order.map((from, i) => `${from}${order[(i + 1) % order.length]}`);
      assert.ok(order.length >= 2);
      for (const hop of hops) assert.ok(!['ab', 'ba', 'cd', 'dc'].includes(hop), hops.join());
    }
  });

  test('are named where a plan would need them, with what to do', () => {
    assert.throws(() => makePlan(asked([['b', 'a']], 2)), {
      code: 'nodes_unlinked',
      message:
        'm would fit, but stages that follow one another must reach each other, and these do not: b and a',
    });
    const all = nodes.flatMap(({ id }, i) => nodes.slice(i + 1).map((other) => [id, other.id] as const));
    assert.throws(() => makePlan(asked(all)), { message: /: a and b; a and c; a and d; 3 more pairs$/ });
    // of pinned nodes, only neighbours matter
    const pinned = asked(
      [
        ['a', 'c'],
        ['a', 'b'],
      ],
      4,
      { nodes: ['a', 'b', 'c', 'd'] },
    );
    assert.throws(() => makePlan(pinned), { message: /do not: a and b$/ });
    // too small anyway: that comes first
    assert.throws(
      () =>
        makePlan({
          ...asked([['a', 'b']], 2),
          contextTokens: 1000,
          card: cardWith({ layerBytes: new Array(60).fill(GIB) }),
        }),
      {
        code: 'not_enough_nodes',
      },
    );
  });
});

test('a node that must be passed on the way to another one gets a layer of its own', () => {
  // a ring: the head fits on c only, which a reaches by b; a alone could hold all layers but the last
  const card = cardWith({ layerBytes: new Array(8).fill(GIB), headBytes: 20 * GIB });
  const sizes = { a: 12, b: 2.5, c: 22.5, d: 2.5 };
  const nodes = Object.entries(sizes).map(([name, gib]) => node(name, { usableBytes: gib * GIB }));
  const pairs = [
    ['a', 'b'],
    ['b', 'c'],
    ['c', 'd'],
    ['d', 'a'],
  ] as const;
  const links = pairs.map((between) => ({ between, link: estimatedLink('thunderbolt-5') }));
  for (const goal of ['throughput', 'latency'] as const) {
    const plan = makePlan(request({ card, nodes, links, goal, otherLink: undefined }));
    const [begin, middle] = layers(plan)[0] === 'b 0-1' ? ['b', 'd'] : ['d', 'b'];
    assert.deepEqual(layers(plan), [`${begin} 0-1`, 'a 1-6', `${middle} 6-7`, 'c 7-8'], goal);
  }
});

test('a running plan gives way only to one that is worth it', () => {
  const asked = request({ nodes: [node('a'), node('b')] });
  const { plan } = findPlan(asked) as { plan: Plan };
  const withOne = (bandwidthGBps: number) => ({
    ...asked,
    nodes: [...asked.nodes, node('c', { bandwidthGBps })],
  });
  const isWorthIt = (next: PlanRequest) => {
    const found = findPlan(next);
    assert.ok(found);
    return isBetterEnough(costOf(next, plan), found, next.goal);
  };
  assert.equal(isWorthIt(asked), false);
  assert.equal(isWorthIt(withOne(30)), false);
  assert.equal(isWorthIt(withOne(800)), true);
  assert.equal(isWorthIt({ ...withOne(800), goal: 'latency' }), false, 'one stream would gain a hop');
  assert.equal(isWorthIt({ ...withOne(1200), goal: 'latency' }), true);
  assert.equal(costOf({ ...asked, nodes: [node('a')] }, plan), undefined, 'a node is gone');
});

test('a plan in force is shown with its links as they are measured today', () => {
  const asked = request({ nodes: [node('a'), node('b')], otherLink: UNKNOWN_LINK });
  const plan = makePlan(asked);
  assert.deepEqual(plan.links, [UNKNOWN_LINK, UNKNOWN_LINK]);
  const link = { ...estimatedLink('thunderbolt-4'), source: 'measured' as const };
  const now = { ...asked, links: [{ between: ['b', 'a'] as const, link }] };
  assert.deepEqual(withLinksOfToday(now, plan), { ...plan, links: [link, link] });
  assert.equal(withLinksOfToday({ ...now, unlinked: [['a', 'b']] }, plan), plan);
  assert.equal(withLinksOfToday({ ...now, nodes: [node('a')] }, plan), plan);
});
