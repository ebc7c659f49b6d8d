import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { mx } from '../../../agent/engine/mlx.ts';
import { type Draw, type Drawn, sample } from '../../../agent/engine/sampler.ts';
import { LogitAdjuster } from '../../../agent/engine/sampling/adjuster.ts';
import type { Sampling } from '../../../protocol/generate.ts';
import { GREEDY, randomLogits, referenceLogits, referenceProbabilities } from '../../support/sampling.ts';
import { settle } from '../../support/stages.ts';

/** Logits of a known distribution. */
const PROBABILITIES = [0.05, 0.4, 0.15, 0.3, 0.1];
const logits = PROBABILITIES.map(Math.log);

const drawAll = (rows: number[][], draws: Draw[]) => sample(mx.array(rows), draws, settle);
const tokensOf = (drawn: (Drawn | undefined)[]) => drawn.map((one) => one?.token);

/** How often each token is drawn in `draws` places of one request. */
async function shares(sampling: Sampling, draws: number, adjuster?: LogitAdjuster): Promise<number[]> {
  const counts = new Array<number>(PROBABILITIES.length).fill(0);
  for (let begin = 0; begin < draws; begin += 50) {
    const rows = Array.from({ length: 50 }, () => logits);
    const wanted = Array.from({ length: 50 }, (_, i) => ({ sampling, index: begin + i, adjuster }));
    for (const token of tokensOf(await drawAll(rows, wanted)))
      counts[token as number] = (counts[token as number] ?? 0) + 1;
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
  test('temperature 0 takes the most likely token, whatever the seed', async () => {
    const rows = [logits, [...logits].reverse()];
    const draws = [1, 2].map((seed) => ({ sampling: { temperature: 0, topP: 0.1, seed }, index: 3 }));
    assert.deepEqual(tokensOf(await drawAll(rows, draws)), [1, 3]);
  });

  test('temperature 1 draws from the distribution itself', async () => {
    assertShares(await shares({ temperature: 1, topP: 1, seed: 5 }, 4_000), PROBABILITIES, 4_000);
  });

  test('a temperature sharpens or flattens it', async () => {
    const powered = PROBABILITIES.map((p) => p ** 2);
    const total = powered.reduce((a, b) => a + b, 0);
    assertShares(
      await shares({ temperature: 0.5, topP: 1, seed: 6 }, 4_000),
      powered.map((p) => p / total),
      4_000,
    );
  });

  test('top_p keeps the fewest tokens that hold it, and always the first', async () => {
    // 0.4 alone is less than 0.6, with 0.3 it is more
    assertShares(await shares({ temperature: 1, topP: 0.6, seed: 7 }, 4_000), [0, 4 / 7, 0, 3 / 7, 0], 4_000);
    assert.deepEqual(await shares({ temperature: 1, topP: 0.001, seed: 8 }, 200), [0, 1, 0, 0, 0]);
  });

  const alone: Partial<Sampling>[] = [
    { topK: 2 },
    { minP: 0.3 },
    { repetitionPenalty: 1.5 },
    { presencePenalty: 1 },
    { frequencyPenalty: 0.4 },
    { logitBias: [[0, 2]] },
    { minTokens: 9_999 },
  ];
  for (const options of [
    ...alone,
    { ...alone[0], ...alone[1], ...alone[2] },
    { ...alone[3], ...alone[4], ...alone[5], topP: 0.8, temperature: 1.7 },
    Object.assign({ temperature: 1.3, topP: 0.9 }, ...alone, { topK: 4 }) as Partial<Sampling>,
  ]) {
    test(`${JSON.stringify(options)} draws from the distribution that its definition gives`, async () => {
      const sampling = { temperature: 1, topP: 1, seed: 11, ...options };
      const history = { promptIds: [1], answerIds: [3, 3, 4], stopIds: [2] };
      const adjuster = LogitAdjuster.of({ sampling, ...history }, logits.length);
      for (const id of history.answerIds) adjuster?.note(id);
      const expected = referenceProbabilities(referenceLogits(logits, sampling, history), sampling);
      assertShares(await shares(sampling, 4_000, adjuster), expected, 4_000);
    });
  }

  test('a bias of -100 bans a token, one of 100 takes no other', async () => {
    const only = (logitBias: [number, number][]) => {
      const sampling = { temperature: 1, topP: 1, seed: 3, logitBias };
      return shares(sampling, 500, LogitAdjuster.of({ sampling, stopIds: [] }, logits.length));
    };
    assert.equal((await only([[1, -100]]))[1], 0);
    assert.deepEqual(await only([[0, 100]]), [1, 0, 0, 0, 0]);
  });

  test('a draw depends on seed and place alone, not on its neighbours', async () => {
    const vocabulary = 3_000;
    const options: Partial<Sampling>[] = [
      { topP: 0.9 },
      { topK: 40, temperature: 3 },
      { temperature: 9, topP: 0.99 },
      { minP: 0.01, frequencyPenalty: 1, topLogprobs: 2 },
      { temperature: 0, repetitionPenalty: 1.2, topLogprobs: 0 },
      { minTokens: 99 },
    ];
    const rows = options.map((_, i) => randomLogits(vocabulary, 2, i));
    const draws = options.map((option, index) => {
      const sampling = { temperature: 1, topP: 1, seed: 99, ...option };
      const adjuster = LogitAdjuster.of({ sampling, stopIds: [0], promptIds: [5, 6] }, vocabulary);
      adjuster?.note(7);
      return { sampling, index, adjuster };
    });
    const together = await drawAll(rows, draws);
    const alone: (Drawn | undefined)[] = [];
    for (const [i, row] of rows.entries()) alone.push(...(await drawAll([row], [draws[i] as Draw])));
    assert.deepEqual(together, alone);
    const backwards = await drawAll([...rows].reverse(), [...draws].reverse());
    assert.deepEqual(backwards.reverse(), alone);
  });

  test('log probabilities are of the model, before bias, penalties, temperature and filters', async () => {
    const sampling: Sampling = {
      temperature: 0.1,
      topP: 0.2,
      seed: 1,
      logitBias: [[4, 100]],
      topLogprobs: 2,
    };
    const adjuster = LogitAdjuster.of({ sampling, stopIds: [] }, logits.length);
    const [drawn] = await drawAll([logits], [{ sampling, index: 0, adjuster }]);
    assert.equal(drawn?.token, 4);
    assert.ok(Math.abs((drawn?.logprobs?.logprob ?? 0) - Math.log(0.1)) < 1e-6);
    assert.deepEqual(
      drawn?.logprobs?.topLogprobs.map(({ token }) => token),
      [1, 3],
    );
  });

  test('no log probabilities unless they are asked for', async () => {
    const sampling = { ...GREEDY, topLogprobs: 0 };
    const [without, own] = await drawAll(
      [logits, logits],
      [
        { sampling: GREEDY, index: 0 },
        { sampling, index: 0 },
      ],
    );
    assert.deepEqual(without, { token: 1 });
    assert.deepEqual(own?.logprobs?.topLogprobs, []);
  });

  test('half-precision logits are drawn from as they are', async () => {
    const half = mx.array([[0, 1, 1, 0.5]]).astype(mx.bfloat16);
    const sampling = { temperature: 1, topP: 0.5, seed: 4, topK: 2, topLogprobs: 4 };
    const [drawn] = await sample(half, [{ sampling, index: 0 }], settle);
    assert.ok(drawn && [1, 2].includes(drawn.token));
    assert.deepEqual(
      drawn.logprobs?.topLogprobs.map(({ token }) => token),
      [1, 2, 3, 0],
    );
  });

  test('memory is given back between the rows of a large batch, and not after rows that left none', async () => {
    const row = randomLogits(129_280, 3, 1);
    const rows = mx.array(Array.from({ length: 12 }, () => row));
    const settles = async (options: Partial<Sampling>) => {
      let count = 0;
      const draws = Array.from({ length: 12 }, (_, index) => ({
        sampling: { ...GREEDY, ...options },
        index,
      }));
      await sample(rows, draws, async () => {
        count++;
        await settle();
      });
      return count;
    };
    assert.equal(await settles({ temperature: 1, topP: 0.9 }), 2);
    assert.equal(await settles({}), 0);
  });

  test('logits that are not finite give no token, and the other rows theirs', async () => {
    const bad = [...logits];
    bad[2] = Number.NaN;
    const worse = [...logits];
    worse[0] = Number.POSITIVE_INFINITY;
    const draws = [0, 1, 2].map((index) => ({ sampling: { temperature: 0, topP: 1, seed: 1 }, index }));
    assert.deepEqual(tokensOf(await drawAll([bad, logits, worse], draws)), [undefined, 1, undefined]);
  });
});
