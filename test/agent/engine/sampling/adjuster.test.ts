import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { mx } from '../../../../agent/engine/mlx.ts';
import { LogitAdjuster } from '../../../../agent/engine/sampling/adjuster.ts';
import type { Sampling } from '../../../../protocol/generate.ts';
import { GREEDY, type ReferenceHistory, randomLogits, referenceLogits } from '../../../support/sampling.ts';

const LOGITS = randomLogits(40, 4, 1);
const HISTORY = { promptIds: [3, 7, 20, 39], answerIds: [7, 8, 8, 8, 0, 21, 0], stopIds: [1, 2, 39] };

/** The logits that are wanted for the token after `answerIds`. */
function adjusted(logits: number[], options: Partial<Sampling>, history: ReferenceHistory = HISTORY) {
  const { answerIds = [], stopIds = [], promptIds } = history;
  const sampling = { ...GREEDY, ...options };
  const adjuster = LogitAdjuster.of({ sampling, stopIds, promptIds }, logits.length);
  assert.ok(adjuster, 'there is something to adjust');
  for (const id of answerIds) adjuster.note(id);
  const row = mx.array(logits, mx.float32);
  const actual = adjuster.apply(row, answerIds.length).tolist() as number[];
  assert.deepEqual(row.tolist(), logits, 'the logits themselves stay as they are');
  const expected = referenceLogits(logits, sampling, history);
  for (const [id, logit] of expected.entries()) {
    const error = Math.abs((actual[id] as number) - logit);
    assert.ok(actual[id] === logit || error < 1e-5, `token ${id}: ${actual[id]}, expected ${logit}`);
  }
  return actual;
}

describe('LogitAdjuster', () => {
  const alone: Partial<Sampling>[] = [
    { repetitionPenalty: 1.3 },
    { repetitionPenalty: 0.5 },
    { presencePenalty: 1.5 },
    { presencePenalty: -2 },
    { frequencyPenalty: 0.7 },
    { logitBias: [[0, -100] as [number, number], [39, 100], [5, 0.25]] },
    { minTokens: 8 },
  ];
  for (const options of alone) {
    test(`${JSON.stringify(options)} is what its formula says`, () => {
      assert.notDeepEqual(adjusted(LOGITS, options), LOGITS);
    });
  }

  test('all together, in the order of vLLM', () => {
    adjusted(LOGITS, Object.assign({}, ...alone) as Partial<Sampling>);
  });

  test('a bias counts as part of the logit that a penalty divides', () => {
    const [logit] = adjusted([2, 1], { logitBias: [[0, 6]], repetitionPenalty: 2 }, { promptIds: [0] });
    assert.equal(logit, 4);
  });

  test('each change leaves all other tokens as they are', () => {
    const actual = adjusted(LOGITS, { presencePenalty: 1, logitBias: [[5, 9]] });
    const changed = LOGITS.flatMap((logit, id) => (actual[id] === logit ? [] : [id]));
    assert.deepEqual(changed, [0, 5, 7, 8, 21]);
  });

  test('stop tokens are held back exactly until minTokens are there', () => {
    const adjuster = LogitAdjuster.of({ sampling: { ...GREEDY, minTokens: 2 }, stopIds: [1] }, 3);
    const at = (index: number) => adjuster?.apply(mx.array([0, 5, 1]), index).tolist();
    assert.deepEqual([at(0), at(1)], Array(2).fill([0, Number.NEGATIVE_INFINITY, 1]));
    assert.deepEqual(at(2), [0, 5, 1]);
  });

  test('no stop token is held back where there is no other', () => {
    const stopIds = [0, 1, 1];
    const adjuster = LogitAdjuster.of({ sampling: { ...GREEDY, minTokens: 2 }, stopIds }, 2);
    assert.deepEqual(adjuster?.apply(mx.array([0, 5]), 0).tolist(), [0, 5]);
  });

  test('ids over the vocabulary never reach the device', () => {
    const history = { stopIds: [2_000_000], promptIds: [2_000_001], answerIds: [] };
    adjusted(LOGITS, { minTokens: 3, repetitionPenalty: 2, logitBias: [[2_000_002, 5]] }, history);
  });

  test('options that change nothing need no adjuster', () => {
    for (const options of [
      {},
      { repetitionPenalty: 1, presencePenalty: 0, frequencyPenalty: 0, minTokens: 0, logitBias: [] },
      { topK: 5, minP: 0.1, topLogprobs: 3 },
    ]) {
      const sampling = { ...GREEDY, ...options };
      assert.equal(LogitAdjuster.of({ sampling, stopIds: [1], promptIds: [2] }, 9), undefined);
    }
  });

  test('a vocabulary of 129,280 with a long prompt and a long answer', () => {
    const logits = randomLogits(129_280, 4, 2);
    const promptIds = Array.from({ length: 2_000 }, (_, i) => i * 61);
    const answerIds = Array.from({ length: 1_000 }, (_, i) => ((i % 400) * 317) % 129_280);
    const sampling = { ...GREEDY, repetitionPenalty: 1.1, presencePenalty: 0.5, frequencyPenalty: 0.25 };
    const adjuster = LogitAdjuster.of({ sampling, stopIds: [1], promptIds }, logits.length) as LogitAdjuster;
    for (const id of answerIds) adjuster.note(id);
    const row = mx.array(logits, mx.float32);
    // many times over: node-mlx must not free what the next step needs
    let actual: number[] = [];
    for (let index = 0; index < 20; index++) actual = adjuster.apply(row, index).tolist() as number[];
    const counts = new Map<number, number>();
    for (const id of answerIds) counts.set(id, (counts.get(id) ?? 0) + 1);
    const inPrompt = new Set(promptIds);
    for (const [id, raw] of logits.entries()) {
      const count = counts.get(id) ?? 0;
      const isSeen = count > 0 || inPrompt.has(id);
      const penalized = !isSeen ? raw : raw > 0 ? raw / 1.1 : raw * 1.1;
      const expected = count > 0 ? penalized - 0.5 - 0.25 * count : penalized;
      assert.ok(Math.abs((actual[id] as number) - expected) < 1e-5, `token ${id}`);
    }
  });
});
