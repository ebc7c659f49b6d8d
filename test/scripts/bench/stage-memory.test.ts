import assert from 'node:assert/strict';
import { test } from 'node:test';
import { worstOverheadMb } from '../../../scripts/bench/stage-memory.ts';

const small = { residentBytes: 150e6, weightBytes: 30e6, kvBytes: 20e6 };
const large = { residentBytes: 250e6, weightBytes: 30e6, kvBytes: 40e6 };

test('the stage with the most above its tensors and KV counts', () => {
  assert.equal(worstOverheadMb([small, large]), 180);
  assert.equal(worstOverheadMb([small]), 100);
});

test('there is no answer before every stage has reported', () => {
  assert.equal(worstOverheadMb([large, { ...small, residentBytes: null, kvBytes: null }]), undefined);
  assert.equal(worstOverheadMb([]), undefined);
});
