import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { mx } from '../../../../agent/engine/mlx.ts';
import { draw } from '../../../../agent/engine/sampling/draw.ts';
import type { Sampling } from '../../../../protocol/generate.ts';
import {
  distanceFromShare,
  GREEDY,
  randomLogits,
  randomNumbers,
  referenceProbabilities,
} from '../../../support/sampling.ts';

const PLAIN: Sampling = { ...GREEDY, temperature: 1 };

/** Draws `draws` tokens and compares each with the reference, which knows only the definition. */
function assertDraws(logits: number[], options: Partial<Sampling>, draws: number): Set<number> {
  const sampling = { ...PLAIN, ...options };
  const probabilities = referenceProbabilities(logits, sampling);
  const row = mx.array(logits, mx.float32);
  const random = randomNumbers(draws);
  const drawn = new Set<number>();
  for (let i = 0; i < draws; i++) {
    const uniform = random();
    const token = draw(row, sampling, uniform) as number;
    drawn.add(token);
    assert.ok((probabilities[token] ?? 0) > 0, `${token} was drawn, but is not kept`);
    const distance = distanceFromShare(probabilities, token, uniform);
    assert.ok(distance < 2e-6, `${token} at ${uniform}, ${distance} from its share`);
  }
  return drawn;
}

/** Tokens with a chance, by the definition. */
const keptCount = (logits: number[], options: Partial<Sampling>) =>
  referenceProbabilities(logits, { ...PLAIN, ...options }).filter((p) => p > 0).length;

const OPTIONS: Partial<Sampling>[] = [
  {},
  { temperature: 0.6 },
  { temperature: 2.5 },
  { topK: 1 },
  { topK: 7 },
  { topP: 0.95 },
  { topP: 0.3 },
  { minP: 0.05 },
  { minP: 1 },
  { temperature: 0.6, topP: 0.95 },
  { temperature: 1.5, topK: 20, topP: 0.8 },
  { temperature: 1.5, topK: 20, minP: 0.02 },
  { temperature: 3, minP: 0.01, topP: 0.9 },
  { temperature: 2, topK: 12, topP: 0.7, minP: 0.03 },
];

describe('draw, token by token against the definition', () => {
  const small = randomLogits(50, 2, 4);
  for (const options of OPTIONS)
    test(`50 tokens, ${JSON.stringify(options)}`, () => void assertDraws(small, options, 400));

  // the vocabulary of R1; the flat ones keep more than the candidates and go through the sorted way
  const large = randomLogits(129_280, 3, 5);
  for (const options of [
    ...OPTIONS,
    { topK: 5_000 },
    { topK: 5_000, topP: 0.9 },
    { temperature: 2, topP: 0.9 },
    { temperature: 4, minP: 0.001, topK: 3_000, topP: 0.99 },
  ])
    test(`129,280 tokens, ${JSON.stringify(options)}`, () => void assertDraws(large, options, 12));

  test('ties at the cut: the lower ids are kept, in the short way and in the sorted one', () => {
    const coarse = large.map((logit) => Math.round(logit * 2) / 2);
    for (const options of [{ topK: 100 }, { topK: 2_000 }, { temperature: 2, topP: 0.5 }])
      assertDraws(coarse, options, 30);
    const equal = new Array<number>(1_500).fill(1.5);
    const drawn = assertDraws(equal, { topK: 3 }, 100);
    assert.deepEqual([...drawn].sort(), [0, 1, 2]);
    assert.deepEqual(
      [...assertDraws(equal, { topK: 600, topP: 0.5 }, 300)].filter((id) => id >= 300),
      [],
    );
  });
});

describe('draw, at the extremes', () => {
  const logits = [1, 3, 2.5, -4, 0];

  test('top_k over the vocabulary keeps all', () => {
    for (const topK of [4, 5, 6, 1e9]) assertDraws(logits, { topK }, 200);
    assert.equal(keptCount(logits, { topK: 1e9 }), 5);
  });

  test('min_p 0 keeps all, 1 the likeliest and its equals', () => {
    assertDraws(logits, { minP: 0 }, 200);
    assert.deepEqual([...assertDraws(logits, { minP: 1 }, 50)], [1]);
    assert.deepEqual([...assertDraws([2, 0, 2], { minP: 1 }, 50)].sort(), [0, 2]);
  });

  test('a tiny temperature is greedy, a huge one even', () => {
    for (const temperature of [Number.MIN_VALUE, 1e-300, 1e-40, 1e-6, 1e-5, 1e-4])
      assert.deepEqual(
        [0, 0.5, 0.999].map((uniform) => draw(mx.array(logits), { ...PLAIN, temperature }, uniform)),
        [1, 1, 1],
        `${temperature}`,
      );
    assert.equal(assertDraws(logits, { temperature: 100 }, 200).size, 5);
  });

  test('a tiny top_p is greedy', () => {
    assert.deepEqual([...assertDraws(logits, { topP: 1e-9 }, 50)], [1]);
    assert.deepEqual([...assertDraws(logits, { topP: 1e-9, topK: 3, minP: 0.1 }, 50)], [1]);
  });

  test('what is held back is never drawn, at either end of the random numbers', () => {
    const held = [Number.NEGATIVE_INFINITY, 0, Number.NEGATIVE_INFINITY];
    for (const options of [{}, { topP: 0.9 }, { topK: 3 }, { minP: 0.1 }, { temperature: 0 }]) {
      for (const uniform of [0, 0.5, 1 - 2 ** -53])
        assert.equal(draw(mx.array(held), { ...PLAIN, ...options }, uniform), 1, JSON.stringify(options));
    }
  });

  test('logits that overflow give no token', () => {
    const over = [Number.POSITIVE_INFINITY, 0];
    for (const options of [{}, { topP: 0.9 }, { topK: 2, minP: 0.5 }])
      assert.equal(draw(mx.array(over), { ...PLAIN, ...options }, 0.5), undefined);
  });

  test('a vocabulary of one token', () => {
    assertDraws([0.5], { topP: 0.5, topK: 3, minP: 0.5 }, 3);
  });
});
