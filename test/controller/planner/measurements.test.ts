import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import pino from 'pino';
import { MeasurementStore } from '../../../controller/measurement-store.ts';
import { builtinCard } from '../../../controller/models/builtin.ts';
import { estimatedPrefillMs, prefillLayerMs } from '../../../controller/planner/cost.ts';
import type { PlanRequest } from '../../../controller/planner/inputs.ts';
import { estimatedLink } from '../../../controller/planner/links.ts';
import {
  learn,
  learnDraft,
  Measurements,
  measuredDraft,
  measuredLayers,
} from '../../../controller/planner/measurements.ts';
import { findPlan } from '../../../controller/planner/planner.ts';
import { predictPrefill, stageDecodeMs } from '../../../controller/planner/predict.ts';
import type { StageStats } from '../../../protocol/stage.ts';
import { GIB, node } from './support.ts';

const card = builtinCard('deepseek-r1-4bit');
const at = { node: node('a'), range: { start: 20, end: 61 } };

function stats(fields: Partial<StageStats>): StageStats {
  return {
    pid: 1,
    residentBytes: 0,
    weightBytes: 0,
    kvBytes: 0,
    sessions: 1,
    stepsTotal: 0,
    tokensTotal: 0,
    tokensPerSecond: 0,
    decodeTokensPerSecond: 0,
    stepTimeMs: null,
    busyShare: 0,
    hopBytesPerSecond: 0,
    ...fields,
  };
}

test('a stage that takes twice as long as estimated is predicted to do so again', () => {
  const measurements: Measurements = {};
  const begin = stats({ stepsTotal: 100, tokensTotal: 100 });
  const placed = (measured = measuredLayers(measurements, at.node.chip, card)) => ({
    card,
    stages: [{ node: { ...at.node, measured }, range: at.range }],
    links: [],
  });
  const [estimate = 0] = stageDecodeMs(placed(undefined), { rows: 1, contextTokens: 1_024 });
  const after = stats({ stepsTotal: 110, tokensTotal: 110, stepTimeMs: 2 * estimate });
  assert.equal(learn(measurements, card, at, begin, after), true);
  const [again = 0] = stageDecodeMs(placed(), { rows: 1, contextTokens: 1_024 });
  assert.ok(Math.abs(again - 2 * estimate) < 1e-6, `${again}`);
  assert.equal(measuredLayers(measurements, 'M3 Ultra', card), undefined, 'of another chip');
  assert.equal(measuredLayers(measurements, at.node.chip, builtinCard('deepseek-r1-8bit')), undefined);
});

test('steps of several rows, mixed ones and few of them teach nothing', () => {
  const measurements: Measurements = {};
  const begin = stats({ stepsTotal: 100, tokensTotal: 100 });
  const no = (before: StageStats | undefined, after: Partial<StageStats>) =>
    assert.equal(learn(measurements, card, at, before, stats(after)), false);
  no(undefined, { stepsTotal: 10, tokensTotal: 10, stepTimeMs: 5 });
  no(begin, { stepsTotal: 100, tokensTotal: 100, stepTimeMs: 5 });
  no(begin, { stepsTotal: 102, tokensTotal: 102, stepTimeMs: 5 });
  no(begin, { stepsTotal: 110, tokensTotal: 140, stepTimeMs: 5 });
  no(begin, { stepsTotal: 110, tokensTotal: 110, stepTimeMs: 0 });
  no(begin, { stepsTotal: 101, tokensTotal: 612, prefill: { tokens: 512, ms: 0.01 } });
  assert.deepEqual(measurements, {});
});

test('the beginnings of prompts teach what prefill takes, short ones as long ones; a hiccup moves it a little', () => {
  const placed = (measured: ReturnType<typeof measuredLayers>) => ({
    card,
    stages: [{ node: { ...at.node, measured }, range: at.range }],
    links: [],
  });
  const chunkMs = (tokens: number, measured?: ReturnType<typeof measuredLayers>) =>
    (1000 * tokens) / predictPrefill(placed(measured), tokens);
  for (const tokens of [64, 512]) {
    const measurements: Measurements = {};
    const teach = (times: number) => {
      const after = stats({ prefill: { tokens, ms: times * chunkMs(tokens) } });
      return learn(measurements, card, at, stats({}), after);
    };
    const now = () => chunkMs(512, measuredLayers(measurements, at.node.chip, card)) / chunkMs(512);
    assert.equal(teach(3), true);
    assert.ok(Math.abs(now() - 3) < 0.02, `${tokens} tokens: ${now()}`);
    teach(8);
    assert.ok(now() > 3.5 && now() < 4.5, `${now()}`);
  }
});

test('a measured chunk knows nothing of what is before it: that is added', () => {
  const one = { ...at.node, measured: { experts: { prefillMsPerToken: 0.01 } } };
  const added = prefillLayerMs(card, 30, one, 512, 4_096) - prefillLayerMs(card, 30, one, 512, 0);
  const estimate = estimatedPrefillMs(card, 30, one, 512, 4_096) - estimatedPrefillMs(card, 30, one, 512, 0);
  assert.ok(Math.abs(added - estimate) < 1e-6 && added > 0, `${added} ${estimate}`);
  assert.ok(Math.abs(prefillLayerMs(card, 30, one, 512, 0) - 5.12) < 1e-9);
});

test('they survive a restart, and a damaged file only costs what it held', async (t) => {
  const home = mkdtempSync(join(tmpdir(), 'espalier-measurements-'));
  t.after(() => rmSync(home, { recursive: true, force: true }));
  const log = pino({ level: 'silent' });
  const { store, measurements } = await MeasurementStore.open(home, log);
  assert.deepEqual(measurements, {});
  measurements['M2 Ultra · x'] = { dense: { decodeMs: 1.5 } };
  await store.save(measurements);
  assert.deepEqual((await MeasurementStore.open(home, log)).measurements, measurements);
  for (const text of ['', '{', '[]', '{"a":{"dense":{"decodeMs":-1}}}', 'null']) {
    writeFileSync(join(home, 'measurements.json'), text);
    assert.deepEqual((await MeasurementStore.open(home, log)).measurements, {}, text);
  }
  store.note({ other: {} }, 0);
  store.note({ another: {} }, 1_000);
  await store.save({ last: {} });
  assert.deepEqual(JSON.parse(readFileSync(join(home, 'measurements.json'), 'utf8')), { last: {} });
  const gone = await MeasurementStore.open(join(home, 'no', 'such', 'folder'), log);
  await gone.store.save({ a: {} });
});

test('what guesses of a draft took is learnt by chip, and moves layers away from the stage that makes them', () => {
  const draft = { weightBytes: 1e9, bytes: 2e9, layerCount: 28 };
  const drafted = { ...card, draft };
  const measurements: Measurements = {};
  assert.equal(measuredDraft(measurements, at.node.chip, drafted), undefined);
  const layers = (guessMs: number | undefined) => {
    if (guessMs !== undefined) learnDraft(measurements, drafted, at.node.chip, guessMs);
    const nodes = ['a', 'b'].map((id) => {
      const own = node(id, { memoryBytes: 512 * GIB });
      return { ...own, measuredDraft: measuredDraft(measurements, own.chip, drafted) };
    });
    const request: PlanRequest = {
      ...{ card: drafted, nodes, links: [], otherLink: estimatedLink('thunderbolt-5') },
      ...{ goal: 'latency', contextTokens: 1_000, streams: 1, guessYield: 0.7, draftPlace: 'head' },
    };
    const [first] = findPlan(request)?.plan.stages ?? [];
    return first ? first.range.end : Number.NaN;
  };
  const asEstimated = layers(undefined);
  assert.ok(layers(20) < asEstimated, 'a slow draft');
  for (let i = 0; i < 50; i++) learnDraft(measurements, drafted, at.node.chip, 30);
  assert.ok(
    Math.abs((measuredDraft(measurements, at.node.chip, drafted)?.guessMs ?? 0) - 30) < 0.1,
    'newer ones count',
  );
  const other = { ...drafted, draft: { ...draft, weightBytes: 2e9 } };
  assert.equal(measuredDraft(measurements, at.node.chip, other), undefined, 'of another draft');
  assert.equal(measuredLayers(measurements, at.node.chip, drafted), undefined, 'and says nothing of layers');
  assert.deepEqual(Measurements.parse(JSON.parse(JSON.stringify(measurements))), measurements);
});
