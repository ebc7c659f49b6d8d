import assert from 'node:assert/strict';
import { test } from 'node:test';
import { overlap, union } from '../../../controller/trace/spans.ts';
import { seeded } from '../support.ts';

const at = (begin: number, end: number) => ({ begin, end });

test('a union is sorted, apart, without empty intervals; short pauses are bridged if asked', () => {
  const intervals = [at(5, 7), at(0, 2), at(1, 3), at(9, 9), at(6, 6.5)];
  assert.deepEqual(union(intervals), [at(0, 3), at(5, 7)]);
  assert.deepEqual(union(intervals, 2), [at(0, 7)]);
  assert.deepEqual(union(intervals, 1.5), [at(0, 3), at(5, 7)]);
  assert.deepEqual(union([]), []);
});

test('overlap counts what a set of units has in common', () => {
  const random = seeded(3);
  for (let round = 0; round < 300; round++) {
    const intervals = Array.from({ length: Math.floor(random() * 8) }, () => {
      const begin = Math.floor(random() * 50);
      return at(begin, begin + Math.floor(random() * 10));
    });
    const begin = Math.floor(random() * 60);
    const one = at(begin, begin + Math.floor(random() * 20));
    let expected = 0;
    for (let unit = one.begin; unit < one.end; unit++) {
      if (intervals.some((other) => other.begin <= unit && unit < other.end)) expected += 1;
    }
    assert.equal(overlap(one, union(intervals)), expected);
  }
});
