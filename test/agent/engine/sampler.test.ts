import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { mx } from '../../../agent/engine/mlx.ts';
import { sample, uniformAt } from '../../../agent/engine/sampler.ts';

/** Logits of a known distribution. */
const PROBABILITIES = [0.05, 0.4, 0.15, 0.3, 0.1];
const logits = PROBABILITIES.map(Math.log);

/** How often each token is drawn in `draws` places of one request. */
function shares(sampling: { temperature: number; topP: number; seed: number }, draws: number): number[] {
  const counts = new Array<number>(PROBABILITIES.length).fill(0);
  for (let begin = 0; begin < draws; begin += 50) {
    const rows = mx.array(Array.from({ length: 50 }, () => logits));
    const tokens = sample(
      rows,
      Array.from({ length: 50 }, (_, i) => ({ sampling, index: begin + i })),
    );
    for (const token of tokens) counts[token as number] = (counts[token as number] ?? 0) + 1;
  }
  return counts.map((count) => count / draws);
}

/** Five standard errors of a share. */
const tolerance = (share: number, draws: number) => 5 * Math.sqrt((share * (1 - share)) / draws);

function assertShares(actual: number[], expected: number[], draws: number): void {
  for (const [token, share] of expected.entries()) {
    const difference = Math.abs((actual[token] as number) - share);
    assert.ok(
      difference <= tolerance(share, draws),
      `token ${token}: ${actual[token]} where ${share} was expected`,
    );
  }
}

describe('sample', () => {
  test('temperature 0 takes the most likely token, whatever the seed', () => {
    const rows = mx.array([logits, [...logits].reverse()]);
    const draws = [1, 2].map((seed) => ({ sampling: { temperature: 0, topP: 0.1, seed }, index: 3 }));
    assert.deepEqual(sample(rows, draws), [1, 3]);
  });

  test('temperature 1 draws from the distribution itself', () => {
    assertShares(shares({ temperature: 1, topP: 1, seed: 5 }, 4_000), PROBABILITIES, 4_000);
  });

  test('a temperature sharpens or flattens it', () => {
    const powered = PROBABILITIES.map((p) => p ** 2);
    const total = powered.reduce((a, b) => a + b, 0);
    assertShares(
      shares({ temperature: 0.5, topP: 1, seed: 6 }, 4_000),
      powered.map((p) => p / total),
      4_000,
    );
  });

  test('top_p keeps the fewest tokens that hold it, and always the first', () => {
    // 0.4 alone is less than 0.6, with 0.3 it is more
    assertShares(shares({ temperature: 1, topP: 0.6, seed: 7 }, 4_000), [0, 4 / 7, 0, 3 / 7, 0], 4_000);
    assert.deepEqual(shares({ temperature: 1, topP: 0.001, seed: 8 }, 200), [0, 1, 0, 0, 0]);
  });

  test('a draw depends on seed and place alone, not on its neighbours', () => {
    const sampling = { temperature: 1, topP: 0.9, seed: 99 };
    const together = sample(
      mx.array([logits, logits, logits]),
      [0, 1, 2].map((index) => ({ sampling, index })),
    );
    const alone = [0, 1, 2].map((index) => sample(mx.array([logits]), [{ sampling, index }])[0]);
    assert.deepEqual(together, alone);
  });

  test('logits that are not finite give no token, and the other rows theirs', () => {
    const bad = [...logits];
    bad[2] = Number.NaN;
    const worse = [...logits];
    worse[0] = Number.POSITIVE_INFINITY;
    const draws = [0, 1, 2].map((index) => ({ sampling: { temperature: 0, topP: 1, seed: 1 }, index }));
    assert.deepEqual(sample(mx.array([bad, logits, worse]), draws), [undefined, 1, undefined]);
  });
});

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
