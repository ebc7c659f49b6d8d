import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Sampling, TokenEvent } from '../../protocol/generate.ts';
import { GREEDY } from '../support/sampling.ts';

describe('Sampling', () => {
  test('what is left out stays out: an older caller means what it meant', () => {
    assert.deepEqual(Sampling.parse(GREEDY), GREEDY);
  });

  test('each option at both its ends', () => {
    for (const options of [
      { topK: 0, minP: 0, repetitionPenalty: 0.01, presencePenalty: -2, frequencyPenalty: -2, minTokens: 0 },
      { topK: 1e9, minP: 1, repetitionPenalty: 100, presencePenalty: 2, frequencyPenalty: 2, minTokens: 1e6 },
      { logitBias: Array.from({ length: 1_024 }, (_, id) => [id, id % 2 ? -100 : 100]), topLogprobs: 20 },
    ])
      assert.deepEqual(Sampling.parse({ ...GREEDY, ...options }), { ...GREEDY, ...options });
  });

  for (const [field, value] of [
    ['topK', -1],
    ['topK', 1.5],
    ['minP', 1.01],
    ['repetitionPenalty', 0],
    ['presencePenalty', 2.1],
    ['frequencyPenalty', Number.NaN],
    ['minTokens', -1],
    ['topLogprobs', 21],
    ['logitBias', [[1, 100.5]]],
    ['logitBias', [[-1, 1]]],
    [
      'logitBias',
      [
        [5, 1],
        [5, 2],
      ],
    ],
    ['logitBias', Array.from({ length: 1_025 }, (_, id) => [id, 1])],
  ] as const) {
    test(`${field} ${JSON.stringify(value).slice(0, 40)} is refused by name`, () => {
      const { error } = Sampling.safeParse({ ...GREEDY, [field]: value });
      assert.equal(error?.issues[0]?.path[0], field);
    });
  }
});

test('a token event carries log probabilities, or none', () => {
  const plain = { requestId: 'r', index: 0, token: 5, finish: null };
  assert.deepEqual(TokenEvent.parse(plain), plain);
  const full = { ...plain, logprob: -0.5, topLogprobs: [{ token: 5, logprob: -0.5 }] };
  assert.deepEqual(TokenEvent.parse(full), full);
});
