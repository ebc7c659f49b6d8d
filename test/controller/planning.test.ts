// How a controller plans: its user's wishes, what it has learnt, and when a running plan is replaced.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { factsOfMac } from '../../agent/facts/mac/assemble.ts';
import type { PlanRequest } from '../../controller/planner/inputs.ts';
import { estimatedLink } from '../../controller/planner/links.ts';
import { type PlanAnswer, type PlanQuestion, solvePlan } from '../../controller/planner/solve.ts';
import { PlanMemo, type Planning, planRequest } from '../../controller/planning.ts';
import { EspalierError } from '../../protocol/errors.ts';
import type { NodeFacts } from '../../protocol/node.ts';
import { DEFAULT_PLANNING } from '../../protocol/plan.ts';
import { cardWith, GIB } from './planner/support.ts';

const card = cardWith({ layerBytes: new Array(12).fill(GIB / 10) });

function facts(name: string, fields: Partial<NodeFacts> = {}): NodeFacts {
  return {
    id: `id-${name}`,
    name,
    bootId: 'b',
    pid: 1,
    platform: 'darwin',
    arch: 'arm64',
    chip: 'Apple M2 Ultra',
    cores: 24,
    memoryBytes: 64 * GIB,
    espalierVersion: '0',
    ...fields,
  };
}

function request(names: readonly string[], planning: Partial<Planning> = {}, measurements = {}): PlanRequest {
  const known = { nodes: names.map((name) => ({ facts: facts(name) })), links: [], measurements };
  return planRequest(card, known, { ...DEFAULT_PLANNING, ...planning }, undefined);
}

test('facts become nodes: a Mac by its chip and GPU limit, any other machine by its CPU', () => {
  const linux = facts('box', { platform: 'linux', arch: 'x64', chip: 'AMD Ryzen', memoryBytes: 32 * GIB });
  const known = { nodes: [{ facts: facts('mac') }, { facts: linux }], links: [], measurements: {} };
  const [mac, box] = planRequest(card, known, DEFAULT_PLANNING, undefined).nodes;
  assert.deepEqual(
    [mac?.chip, mac?.bandwidthGBps, mac?.usableBytes, mac?.valueBytes],
    ['M2 Ultra', 800, 48 * GIB, 2],
  );
  assert.deepEqual([box?.chip, box?.usableBytes, box?.valueBytes], ['AMD Ryzen', 24 * GIB, 4]);
  const m3 = facts('m3', { platform: 'linux', arch: 'x64', chip: 'Intel(R) Core(TM) m3-7Y30' });
  const [intel] = planRequest(card, { ...known, nodes: [{ facts: m3 }] }, DEFAULT_PLANNING, undefined).nodes;
  assert.deepEqual([intel?.chip, intel?.bandwidthGBps], [m3.chip, box?.bandwidthGBps]);
});

test('what a Mac says of its GPU’s limit comes before the guess, and a guess of its own stays one', () => {
  const limited = (source: 'measured' | 'sysctl' | 'estimate') => {
    const gpuMemoryLimit = { bytes: 60 * GIB, source, note: 'as it says' };
    const machine = { ...factsOfMac({ commands: {}, serviceInfo: {} }, null), gpuMemoryLimit };
    const known = { nodes: [{ facts: facts('mac'), machine }], links: [], measurements: {} };
    return planRequest(card, known, DEFAULT_PLANNING, undefined).nodes.map((node) => [
      node.usableBytes,
      node.usableSource,
    ]);
  };
  assert.deepEqual(limited('measured'), [[60 * GIB, 'measured']]);
  assert.deepEqual(limited('sysctl'), [[60 * GIB, 'measured']]);
  assert.deepEqual(limited('estimate'), [[60 * GIB, 'estimate']]);
});

test('wishes: excluded by name, no longer a context than the model knows', () => {
  const asked = request(['a', 'b'], {
    exclude: ['a'],
    goal: 'latency',
    contextTokens: 1e6,
    streams: 3,
    layers: [12],
  });
  assert.deepEqual(
    asked.nodes.map(({ name }) => name),
    ['b'],
  );
  assert.deepEqual(
    [asked.goal, asked.contextTokens, asked.streams, asked.pins?.layers],
    ['latency', 1000, 3, [12]],
  );
});

test('the same question is answered once', () => {
  const memo = new PlanMemo();
  const first = memo.plan(1, request(['a', 'b']));
  assert.equal(memo.plan(1, request(['a', 'b'])), first);
  assert.equal(
    memo.plan(1, request(['a', 'b'], {}, { anything: {} })),
    first,
    'what is learnt waits for the next epoch',
  );
  const drafted = request(['a', 'b']);
  const measuredDraft = { weightBytes: 1, guessMs: 5 };
  const learnt = { ...drafted, nodes: drafted.nodes.map((node) => ({ ...node, measuredDraft })) };
  assert.equal(memo.plan(1, learnt), first, 'and what guesses take, too');
  assert.notEqual(memo.plan(2, request(['a', 'b'])), first);
  assert.equal(memo.plan(2, request(['a']))?.plan.stages.length, 1);
  const links = [{ between: ['id-a', 'id-b'] as const, link: estimatedLink('wifi') }];
  assert.equal(memo.plan(2, { ...request(['a', 'b']), links })?.plan.links[0]?.kind, 'wifi');
});

test('what cannot be planned is said each time, and replaces nothing', () => {
  const memo = new PlanMemo();
  const inForce = memo.plan(1, request(['a', 'b']))?.plan ?? assert.fail('nothing fits');
  const impossible = { ...request(['a']), card: cardWith({ layerBytes: [500 * GIB] }) };
  for (let i = 0; i < 2; i++) assert.throws(() => memo.plan(1, impossible), { code: 'not_enough_nodes' });
  assert.equal(memo.betterPlan(1, impossible, inForce), undefined);
});

test('a plan in force is replaced by one that gains, judged by the same measurements', () => {
  const memo = new PlanMemo();
  const inForce = memo.plan(1, request(['a', 'b']))?.plan ?? assert.fail('nothing fits');
  assert.equal(memo.betterPlan(2, request(['a', 'b']), inForce), 'none');
  // everything is ten times slower than estimated: that is no reason to deploy the same plan anew
  const slow = { 'M2 Ultra · deepseek_v3 1024 · 4-bit': { dense: { decodeMs: 20 } } };
  const measured = request(['a', 'b'], {}, slow);
  assert.equal(measured.nodes[0]?.measured?.dense?.decodeMs, 20);
  assert.equal(memo.betterPlan(2, measured, inForce), 'none');
  const better = memo.betterPlan(2, request(['a', 'b', 'c'], {}, slow), inForce);
  assert.ok(better && better !== 'none');
  assert.equal(better.plan.stages.length, 3);
});

test('where answers take their time there is none until then, and one question is asked at a time', async () => {
  const asked: { question: PlanQuestion; reply: PromiseWithResolvers<PlanAnswer> }[] = [];
  const memo = new PlanMemo((question) => {
    const reply = Promise.withResolvers<PlanAnswer>();
    asked.push({ question, reply });
    return reply.promise;
  });
  const two = request(['a', 'b']);
  for (let i = 0; i < 3; i++) assert.equal(memo.plan(1, two), undefined);
  assert.equal(memo.plan(1, request(['a'])), undefined);
  assert.equal(asked.length, 1, 'the second question waits for the first');
  const [first] = asked;
  first?.reply.resolve(solvePlan(first.question));
  await first?.reply.promise;
  assert.equal(memo.plan(1, two)?.plan.stages.length, 2);
  assert.equal(memo.plan(1, request(['a'])), undefined);
  assert.equal(asked.length, 2);
  asked[1]?.reply.reject(new EspalierError('not_enough_nodes', 'too small'));
  await asked[1]?.reply.promise.catch(() => undefined);
  for (let i = 0; i < 2; i++)
    assert.throws(() => memo.plan(1, request(['a'])), { code: 'not_enough_nodes', message: 'too small' });
});

test('a planner that broke down is told once, then asked again', async () => {
  let asked = 0;
  const memo = new PlanMemo(() => {
    asked += 1;
    return Promise.reject(new Error('out of memory'));
  });
  for (const times of [1, 2]) {
    assert.equal(memo.plan(1, request(['a'])), undefined);
    await new Promise(setImmediate);
    assert.throws(() => memo.plan(1, request(['a'])), { code: 'internal', message: 'out of memory' });
    assert.equal(asked, times);
  }
});
