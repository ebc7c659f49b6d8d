import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSame } from '../../../../scripts/bench/speculation/texts.ts';

test('answers are the same where all but the last bits of log probabilities is', () => {
  const told = [{ token: 3, logprob: -1.00005, topLogprobs: [{ token: 3, logprob: -1.00005 }] }];
  const near = [{ token: 3, logprob: -1.000049, topLogprobs: [{ token: 3, logprob: -1.000051 }] }];
  assert.equal(isSame(told, near), true);
  for (const other of [
    [],
    [{ token: 4, logprob: -1.00005, topLogprobs: [{ token: 3, logprob: -1.00005 }] }],
    [{ token: 3, logprob: -1.00005, topLogprobs: [{ token: 3, logprob: -1.2 }] }],
    [{ token: 3, logprob: -1.00005, topLogprobs: [] }],
    [{ token: 3, logprob: -1.00005 }],
    [{ token: 3, logprob: null, topLogprobs: [{ token: 3, logprob: -1.00005 }] }],
  ])
    assert.equal(isSame(told, other), false, JSON.stringify(other));
});
