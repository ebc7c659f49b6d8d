// Guesses over deployments and models: the sums go on, the share of right ones is the present model's.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GuessCounts } from '../../controller/guess-counts.ts';

const told = (sent: number, kept: number) => {
  return { totals: [{ source: 'ngram' as const, sent, kept, judged: sent }], requests: [] };
};

test('sums go on over deployments, and the share of right guesses begins anew with another model', () => {
  const counts = new GuessCounts();
  counts.note(1, told(100, 90));
  counts.note(2, told(60, 50));
  assert.equal(counts.yieldShare, 140 / 160);
  counts.modelChanged();
  assert.equal(counts.yieldShare, undefined);
  counts.note(3, told(40, 0));
  assert.equal(counts.yieldShare, undefined, 'too few to say so');
  counts.note(3, told(80, 8));
  assert.equal(counts.yieldShare, 0.1);
  assert.deepEqual(counts.all, [{ source: 'ngram', sent: 240, kept: 148, judged: 240 }]);
});
