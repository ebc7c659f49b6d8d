import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { mx } from '../../../../agent/engine/mlx.ts';
import { logprobs } from '../../../../agent/engine/sampling/logprobs.ts';
import { randomLogits } from '../../../support/sampling.ts';

describe('logprobs', () => {
  for (const size of [5, 129_280]) {
    test(`they are the log softmax of ${size} logits, and the likeliest tokens come first`, () => {
      const logits = randomLogits(size, 3, size);
      const total = logits.reduce((sum, logit) => sum + Math.exp(logit), 0);
      const expected = logits.map((logit) => logit - Math.log(total));
      const order = expected.map((_, id) => id).sort((a, b) => (expected[b] ?? 0) - (expected[a] ?? 0));
      const { logprob, topLogprobs } = logprobs(mx.array(logits), 4, 20);
      assert.ok(Math.abs(logprob - (expected[4] as number)) < 1e-5);
      assert.deepEqual(
        topLogprobs.map(({ token }) => token),
        order.slice(0, 20),
      );
      for (const { token, logprob } of topLogprobs)
        assert.ok(Math.abs(logprob - (expected[token] as number)) < 1e-5, `token ${token}`);
    });
  }

  test('none of the likeliest when none is asked for', () => {
    assert.deepEqual(logprobs(mx.array([0, 0]), 1, 0), { logprob: Math.log(0.5), topLogprobs: [] });
  });

  test('a certainty is 0, and what is far from it a finite number', () => {
    assert.deepEqual(logprobs(mx.array([500, -500]), 1, 1), {
      logprob: -1_000,
      topLogprobs: [{ token: 0, logprob: 0 }],
    });
  });
});
