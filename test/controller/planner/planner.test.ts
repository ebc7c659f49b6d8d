import assert from 'node:assert/strict';
import { test } from 'node:test';
import { planStages } from '../../../controller/planner/planner.ts';
import type { ModelCard } from '../../../protocol/plan.ts';

function card(layerBytes: number[], extra: Partial<ModelCard> = {}): ModelCard {
  return {
    id: 'm',
    architecture: 'deepseek_v3',
    layerCount: layerBytes.length,
    vocabSize: 100,
    attentionHeads: 4,
    contextTokens: 1000,
    quantization: '4-bit',
    layerBytes,
    embeddingBytes: 0,
    headBytes: 0,
    kvBytesPerTokenLayer: 0,
    ...extra,
  };
}

const nodes = (...memories: number[]) =>
  memories.map((memoryBytes, i) => ({ id: `n${i}`, name: `studio-${i + 1}`, memoryBytes }));

/** The largest share of memory over all ways to cut the layers, by trying them all. */
function bestByBruteForce(bytes: number[], memories: number[]): number {
  const [memory = 0, ...others] = memories;
  if (others.length === 0) return bytes.reduce((a, b) => a + b, 0) / memory;
  let best = Number.POSITIVE_INFINITY;
  for (let cut = 1; cut <= bytes.length - others.length; cut++) {
    const own = bytes.slice(0, cut).reduce((a, b) => a + b, 0) / memory;
    best = Math.min(best, Math.max(own, bestByBruteForce(bytes.slice(cut), others)));
  }
  return best;
}

test('the fullest node is as empty as any split could make it', () => {
  let seed = 7;
  const random = (below: number) => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
    return (seed >>> 4) % below;
  };
  for (let round = 0; round < 200; round++) {
    const bytes = Array.from({ length: 4 + random(6) }, () => 1 + random(50));
    const memories = Array.from({ length: 1 + random(4) }, () => 1_000 + 500 * random(6));
    const { stages } = planStages(card(bytes), nodes(...memories), 0);
    assert.equal(stages[0]?.range.start, 0);
    assert.equal(stages.at(-1)?.range.end, bytes.length);
    for (const [i, stage] of stages.entries())
      assert.equal(stages[i + 1]?.range.start ?? bytes.length, stage.range.end);
    const worst = Math.max(...stages.map((stage, i) => stage.weightBytes / (memories[i] as number)));
    assert.equal(worst, bestByBruteForce(bytes, memories), JSON.stringify({ bytes, memories }));
  }
});

test('embedding and head count where they lie', () => {
  const { stages } = planStages(
    card([10, 10, 10, 10], { embeddingBytes: 20, headBytes: 20 }),
    nodes(500, 500, 500),
    0,
  );
  assert.deepEqual(
    stages.map((stage) => stage.weightBytes),
    [30, 20, 30],
  );
});

test('more nodes than layers leave the last ones out', () => {
  const { stages } = planStages(card([1, 1]), nodes(100, 100, 100), 0);
  assert.deepEqual(
    stages.map((stage) => stage.nodeId),
    ['n0', 'n1'],
  );
});

test('a model that does not fit is refused with the missing memory', () => {
  assert.throws(() => planStages(card([60e9, 60e9]), nodes(64e9, 64e9), 0), {
    code: 'not_enough_nodes',
    message: /studio-1 would have to hold 60\.0 GB .* has 48\.0 GB .* 12\.0 GB too little/,
  });
});

test('the KV of one session is part of what must fit', () => {
  const tight = card([40, 40], { kvBytesPerTokenLayer: 1 });
  planStages(tight, nodes(100, 100), 30);
  assert.throws(() => planStages(tight, nodes(100, 100), 40), { code: 'not_enough_nodes' });
});

test('KV is planned for the stage with the least room, in whole blocks, and no more than four full conversations', () => {
  const bytes = { kvBytesPerTokenLayer: 10, contextTokens: 100_000 };
  // two layers each: 75 % of the memory less 20 bytes of weights, over 20 bytes a token
  const wide = planStages(card([10, 10, 10, 10], bytes), nodes(40_000, 30_000), 0);
  assert.deepEqual(
    wide.stages.map(({ range }) => range.end - range.start),
    [2, 2],
  );
  assert.equal(wide.kvTokens, 256 * Math.floor((30_000 * 0.75 - 20) / 20 / 256));
  const short = planStages(card([10, 10], { ...bytes, contextTokens: 1_000 }), nodes(1e9), 0);
  assert.equal(short.kvTokens, 256 * Math.floor(4_000 / 256));
});
