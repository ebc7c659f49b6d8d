import assert from 'node:assert/strict';
import { test } from 'node:test';
import { uniformAt } from '../../../../agent/engine/sampling/uniform.ts';

test('uniformAt is uniform over places and over seeds', () => {
  for (const at of [(i: number) => uniformAt(1, i), (i: number) => uniformAt(i, 0)]) {
    const buckets = new Array<number>(10).fill(0);
    for (let i = 0; i < 10_000; i++) {
      const bucket = Math.floor(at(i) * 10);
      buckets[bucket] = (buckets[bucket] as number) + 1;
    }
    for (const count of buckets) assert.ok(Math.abs(count - 1_000) < 160, buckets.join());
  }
});
