// An answer that began elsewhere goes on as if nothing had been: cut after each of its tokens, under each option of
// sampling, what follows is what had followed, to the log probabilities.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Sampling, TokenEvent } from '../../../protocol/generate.ts';
import { referenceCases } from '../../support/reference.ts';
import { LoopRing } from '../../support/stage-loops.ts';

const PROMPT = (referenceCases.find(({ prompt_ids }) => prompt_ids.length < 30)?.prompt_ids ?? []).slice(
  0,
  20,
);
const TOKENS = 11;
/** Prefilled tokens are computed in other products than decoded ones. */
const TOLERANCE = 1e-4;
const WARM = { temperature: 1.3, topP: 1, seed: 11 };
const COLD = { temperature: 0, topP: 1, seed: 0 };

const OPTIONS: [what: string, sampling: Sampling][] = [
  ['greedy, with log probabilities', { ...COLD, topLogprobs: 3 }],
  ['drawn, with log probabilities', { ...WARM, topLogprobs: 3 }],
  ['top p', { ...WARM, topP: 0.8 }],
  ['top k and min p', { ...WARM, topK: 20, minP: 0.02 }],
  ['a repetition penalty', { ...WARM, repetitionPenalty: 1.4 }],
  ['a greedy repetition penalty', { ...COLD, repetitionPenalty: 1.8 }],
  ['a presence penalty', { ...COLD, presencePenalty: 1.7 }],
  ['a frequency penalty', { ...COLD, frequencyPenalty: 1.2 }],
  [
    'all penalties and a bias',
    { ...WARM, repetitionPenalty: 1.1, presencePenalty: 0.4, frequencyPenalty: 0.3, logitBias: [[7, 4]] },
  ],
  ['at least so many tokens', { ...COLD, minTokens: 9 }],
];

describe('an answer that is cut and goes on', () => {
  let ring: LoopRing;
  before(async () => {
    ring = (await LoopRing.load(2)).start();
  });
  after(() => ring.close());

  for (const [what, sampling] of OPTIONS) {
    test(`is the same: ${what}`, async () => {
      const events = (id: string) => ring.events.filter(({ requestId }) => requestId === id);
      const stopIds = sampling.minTokens ? await greedyIds() : [];
      ring.submit(what, PROMPT, { maxTokens: TOKENS, sampling, stopIds });
      await ring.ended(what);
      const whole = events(what);
      const ids = whole.flatMap(({ token }) => token ?? []);
      assert.ok(ids.length >= 9, `${ids.length} tokens`);
      const cuts = whole.map((_, k) => k).slice(1);
      const name = (k: number) => `${what}, cut at ${k}`;
      for (const k of cuts) {
        ring.submit(name(k), PROMPT, { maxTokens: TOKENS, sampling, stopIds, generatedIds: ids.slice(0, k) });
      }
      await ring.ended(...cuts.map(name));
      for (const k of cuts) {
        assert.deepEqual(ring.of(name(k)).failures, []);
        assertSame(events(name(k)), whole.slice(k), name(k));
      }
    });
  }

  /** What would be drawn at once, if it were allowed. */
  async function greedyIds(): Promise<number[]> {
    ring.submit('greedy', PROMPT, { maxTokens: TOKENS, stopIds: [] });
    await ring.ended('greedy');
    return [...new Set(ring.of('greedy').tokens)];
  }

  test('is told how much of it was not computed again', async () => {
    ring.submit('a', PROMPT, { maxTokens: TOKENS });
    await ring.ended('a');
    const generatedIds = ring.of('a').tokens.slice(0, 6);
    ring.submit('b', PROMPT, { maxTokens: TOKENS, generatedIds });
    await ring.ended('b');
    // the last token of it is always computed: the next one is drawn from it
    assert.equal(ring.of('b').cachedTokens, PROMPT.length + 5);
  });

  test('is refused where it has all its tokens, or strange ones', () => {
    const ask = (generatedIds: number[]) => ring.submit('c', PROMPT, { maxTokens: 2, generatedIds });
    assert.throws(() => ask([5, 6]), {
      code: 'invalid_request',
      message: 'the answer has its 2 tokens already',
    });
    assert.throws(() => ask([1024]), { code: 'invalid_request', message: /token id 1024/ });
  });
});

function assertSame(found: TokenEvent[], expected: TokenEvent[], what: string): void {
  const plain = (events: TokenEvent[]) => events.map(({ index, token, finish }) => [index, token, finish]);
  assert.deepEqual(plain(found), plain(expected), what);
  for (const [i, event] of expected.entries()) {
    const other = found[i] as TokenEvent;
    assert.equal(other.topLogprobs?.length, event.topLogprobs?.length);
    const pairs = [event, ...(event.topLogprobs ?? [])].map(({ logprob }) => logprob);
    const others = [other, ...(other.topLogprobs ?? [])].map(({ logprob }) => logprob);
    for (const [j, logprob] of pairs.entries()) {
      if (logprob === undefined) continue;
      assert.ok(
        Math.abs(logprob - (others[j] ?? Number.NaN)) < TOLERANCE,
        `${what}: ${logprob}, ${others[j]}`,
      );
    }
  }
}
