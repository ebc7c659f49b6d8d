// Guesses in rings of real stages: whatever is guessed, texts and all that is told of them are what they would be without.
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { NgramSource } from '../../../agent/stage/speculation/ngram-source.ts';
import type { GuessSource } from '../../../agent/stage/speculation/source.ts';
import type { GenerateRequest } from '../../../protocol/generate.ts';
import { SpoiltSource } from '../../../scripts/bench/speculation/spoilt-source.ts';
import { ALL_CASES } from '../../support/all-cases.ts';
import { demoDraft } from '../../support/guess-sources.ts';
import { type ReferenceCase, referenceCases } from '../../support/reference.ts';
import { LoopRing, type RingOptions } from '../../support/stage-loops.ts';
import { until } from '../../support/until.ts';

const rings: LoopRing[] = [];
after(() => {
  for (const ring of rings) ring.close();
});

async function load(
  stageCount: number,
  sources: GuessSource[],
  options: RingOptions = {},
): Promise<LoopRing> {
  const ring = (await LoopRing.load(stageCount, { ...options, sources })).start();
  rings.push(ring);
  return ring;
}

/** All events of a request, but for what another session before it may change. */
async function eventsOf(
  ring: LoopRing,
  requestId: string,
  promptIds: number[],
  options: Partial<GenerateRequest>,
) {
  ring.submit(requestId, promptIds, { maxTokens: 45, ...options });
  await ring.ended(requestId);
  assert.deepEqual(ring.of(requestId).failures, []);
  return ring.events
    .filter((event) => event.requestId === requestId)
    .map(({ cachedTokens: _, ...event }): unknown => JSON.parse(JSON.stringify(event, rounded)));
}

/** The last bits of a log probability depend on how many rows shared its step, as in any batch. */
function rounded(key: string, value: unknown): unknown {
  return key === 'logprob' && typeof value === 'number' ? Number(value.toFixed(3)) : value;
}

const isShort = ({ greedy_ids }: ReferenceCase) => greedy_ids.length > 25 && greedy_ids.length < 90;
const [first, second, third] = referenceCases.filter(isShort) as [
  ReferenceCase,
  ReferenceCase,
  ReferenceCase,
];

const JSON_TAG = JSON.stringify({
  type: 'structural_tag',
  format: {
    type: 'json_schema',
    json_schema: {
      type: 'object',
      properties: {
        n: { type: 'integer' },
        words: { type: 'array', items: { type: 'string' }, minItems: 2, maxItems: 4 },
      },
      required: ['n', 'words'],
      additionalProperties: false,
    },
  },
});

/** Each depends on the tokens so far, or on their places, in another way. */
const WAYS: Record<string, Partial<GenerateRequest>> = {
  greedy: {},
  'sampled, with log probabilities': {
    sampling: { temperature: 0.9, topP: 0.95, seed: 5, topLogprobs: 3 },
  },
  'penalties, bias and tokens before a stop': {
    sampling: {
      temperature: 0.7,
      topP: 1,
      seed: 6,
      repetitionPenalty: 1.4,
      presencePenalty: 0.5,
      frequencyPenalty: 0.3,
      minTokens: 30,
      logitBias: [[30, 1.5]],
    },
  },
  'a grammar': { sampling: { temperature: 0.8, topP: 1, seed: 7 }, grammar: { structuralTag: JSON_TAG } },
  'a grammar after the reasoning': { grammar: { structuralTag: JSON_TAG, after: '</think>' } },
  'cut by maxTokens': { maxTokens: 17 },
  'an answer that began on another deployment': { generatedIds: first.greedy_ids.slice(0, 12) },
};

describe('with guesses and without, the same is told', () => {
  for (const [stages, spoilt] of [
    [3, 0.3],
    [2, 0.1],
    [5, 0.5],
  ] as const) {
    const skip = stages !== 3 && !ALL_CASES;
    test(`${stages} stages, ${100 * spoilt} % of the guesses spoilt`, { skip }, async () => {
      const plain = await load(stages, []);
      const sources = [new SpoiltSource(await demoDraft(), spoilt), new NgramSource()];
      const guessing = await load(stages, sources);
      for (const [name, options] of Object.entries(WAYS)) {
        const expected = await eventsOf(plain, name, first.prompt_ids, options);
        assert.deepEqual(await eventsOf(guessing, name, first.prompt_ids, options), expected, name);
      }
      const totals = guessing.head.guessStats?.totals ?? [];
      const kept = totals.reduce((sum, each) => sum + each.kept, 0);
      const sent = totals.reduce((sum, each) => sum + each.sent, 0);
      assert.ok(kept > 3 && sent > kept, `${kept} of ${sent} guesses were kept`);
      // what was guessed last may still be on its way
      await until(
        () => guessing.engines.every(({ sessionCount }) => sessionCount === 0),
        'the end of all sessions',
      );
    });
  }
});

test('two streams over three stages share the slot that is left, and a third one ends the guessing', async () => {
  const ring = await load(3, [await demoDraft()]);
  ring.submit('a', first.prompt_ids);
  ring.submit('b', second.prompt_ids);
  await ring.ended('a', 'b');
  for (const [id, { greedy_ids }] of [
    ['a', first],
    ['b', second],
  ] as const)
    assert.deepEqual(
      ring.of(id).tokens,
      greedy_ids.filter((token) => token !== 1),
    );
  const crowd = [first, second, third];
  for (const [i, { prompt_ids }] of crowd.entries()) ring.submit(`c${i}`, prompt_ids);
  await ring.ended(...crowd.map((_, i) => `c${i}`));
  for (const [i, { greedy_ids }] of crowd.entries())
    assert.deepEqual(
      ring.of(`c${i}`).tokens,
      greedy_ids.filter((token) => token !== 1),
    );
});

test('a cancelled stream leaves nothing on any stage, and its KV is of use to the next one', async () => {
  const ring = await load(3, [new SpoiltSource(await demoDraft(), 0.4)]);
  const long = referenceCases.reduce((a, b) => (a.greedy_ids.length > b.greedy_ids.length ? a : b));
  ring.submit('a', long.prompt_ids);
  await until(() => ring.of('a').tokens.length > 10, 'some tokens');
  ring.head.cancel('a');
  await until(() => ring.engines.every(({ sessionCount }) => sessionCount === 0), 'the end of the session');
  const again = [...long.prompt_ids, ...long.greedy_ids.slice(0, 5)];
  ring.submit('b', again, { maxTokens: 30 });
  await ring.ended('b');
  assert.deepEqual(ring.of('b').tokens, long.greedy_ids.slice(5, 35));
  assert.equal(ring.of('b').cachedTokens, again.length - 1);
});

test('what a wrong guess comes to on a stage, be it no number at all, does not end its request', async () => {
  let spoilt = 0;
  const ring = await load(3, [new SpoiltSource(await demoDraft(), 0.3)], {
    onFrame: (frame, from) => {
      if (
        from > 0 ||
        frame.kind !== 'step' ||
        !frame.hidden ||
        frame.rows.some(({ guess }) => guess === undefined)
      )
        return;
      // every fourth guess, right ones among them
      if (frame.step % 4 > 0) return;
      frame.hidden.bytes.fill(0xff);
      spoilt += 1;
    },
  });
  ring.submit('a', second.prompt_ids);
  await ring.ended('a');
  assert.deepEqual(ring.of('a').failures, []);
  assert.deepEqual(
    ring.of('a').tokens,
    second.greedy_ids.filter((token) => token !== 1),
  );
  assert.ok(spoilt > 3, `${spoilt} guesses`);
});

test('all reference cases, and 200 seeded draws', {
  skip: !ALL_CASES,
  timeout: 3_600_000,
}, async () => {
  const plain = await load(3, []);
  const guessing = await load(3, [new SpoiltSource(await demoDraft(), 0.1), new NgramSource()]);
  for (const [i, { prompt_ids, greedy_ids }] of referenceCases.entries()) {
    await eventsOf(guessing, `case ${i}`, prompt_ids, { maxTokens: 400 });
    assert.deepEqual(
      guessing.of(`case ${i}`).tokens,
      greedy_ids.filter((token) => token !== 1),
      `case ${i}`,
    );
  }
  for (let seed = 1; seed <= 200; seed++) {
    const { prompt_ids } = referenceCases[seed % referenceCases.length] as ReferenceCase;
    const sampling = { temperature: 0.5 + (seed % 4) / 3, topP: 0.95, seed, topLogprobs: seed % 3 };
    const expected = await eventsOf(plain, `seed ${seed}`, prompt_ids, { sampling });
    assert.deepEqual(
      await eventsOf(guessing, `seed ${seed}`, prompt_ids, { sampling }),
      expected,
      `seed ${seed}`,
    );
  }
});
