// What sources guess: n-grams of a text, and the demo model's draft, whose KV must follow a text whatever was guessed.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { NgramSource } from '../../../../agent/stage/speculation/ngram-source.ts';
import type { GuessContext } from '../../../../agent/stage/speculation/source.ts';
import type { Sampling } from '../../../../protocol/generate.ts';
import { demoDraft } from '../../../support/guess-sources.ts';
import { type ReferenceCase, referenceCases } from '../../../support/reference.ts';
import { GREEDY } from '../../../support/sampling.ts';

function context(
  promptIds: number[],
  answer: number[],
  guessed: number[] = [],
  sampling: Sampling = GREEDY,
): GuessContext {
  const request = { requestId: 'a', promptIds, maxTokens: 500, stopIds: [1], sampling };
  return { session: 7, request, tokens: [...promptIds, ...answer], guessed };
}

describe('n-grams', () => {
  test('give what followed the same tokens before, the newest time they were there', () => {
    const source = new NgramSource();
    const text = [1, 2, 3, 4, 5, 9, 2, 3, 8, 8];
    assert.deepEqual(source.lookUp(context(text, []), 1), []);
    assert.deepEqual(source.lookUp(context(text, [2, 3]), 1), [8]);
    assert.deepEqual(source.lookUp(context(text, [2, 3, 4]), 3), [5, 9, 2], 'the longer run decides');
  });

  test('go on behind guesses, and do not learn from them', () => {
    const source = new NgramSource();
    const text = [1, 2, 3, 4, 5];
    assert.deepEqual(source.lookUp(context(text, [1, 2], [3]), 2), [4, 5]);
    assert.deepEqual(source.lookUp(context(text, [1, 2], [7, 8]), 1), []);
    assert.deepEqual(source.lookUp(context(text, [1, 2, 6, 1, 2]), 1), [6]);
  });

  test('forget a session', () => {
    const source = new NgramSource();
    source.lookUp(context([1, 2, 3, 1, 2], []), 1);
    source.forget(7);
    assert.deepEqual(source.lookUp(context([5, 1, 2], []), 1), []);
  });
});

describe('a draft', () => {
  const { prompt_ids: prompt, greedy_ids: answer } = referenceCases.find(
    ({ prompt_ids, greedy_ids }) => prompt_ids.length > 64 && greedy_ids.length > 40,
  ) as ReferenceCase;

  test('reads a long text in turns, and guesses as a fresh one does after any wrong guesses', async () => {
    const draft = await demoDraft();
    const fresh = await demoDraft();
    assert.equal(await draft.guess(context(prompt, []), 1), 'working');
    const whole = async (source: typeof draft, ...of: Parameters<typeof context>) => {
      for (;;) {
        const guessed = await source.guess(context(...of), 2);
        if (guessed !== 'working') return guessed;
      }
    };
    for (const [known, guessed] of [
      [0, []],
      [1, [5, 6]],
      [2, [7]],
      [2, []],
      [9, answer.slice(9, 12)],
      [11, [999]],
      [12, []],
    ] as [number, number[]][]) {
      const told = await whole(draft, prompt, answer.slice(0, known), guessed);
      assert.deepEqual(told, await whole(fresh, prompt, answer.slice(0, known), guessed), `${known} tokens`);
      assert.equal(told.length, 2);
      fresh.forget(7);
    }
    draft.forget(7);
    assert.equal(draft.kvBytes, 0, 'nothing stays of a session that is over');
  });

  test('draws with the random numbers of the request: the same seed gives the same guess', async () => {
    const draft = await demoDraft();
    const draw = async (seed: number) => {
      const told: number[] = [];
      for (let known = 0; known < 30; known++) {
        const of = context(prompt, answer.slice(0, known), [], { temperature: 2, topP: 1, seed });
        let guessed = await draft.guess(of, 1);
        while (guessed === 'working') guessed = await draft.guess(of, 1);
        told.push(...guessed);
      }
      draft.forget(7);
      return told;
    };
    assert.deepEqual(await draw(3), await draw(3));
    assert.notDeepEqual(await draw(3), await draw(4));
  });
});
