// Sampling as a session of the engine does it: its own prompt and answer, kept from token to token.
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import type { Sampled } from '../../../agent/engine/engine.ts';
import type { SessionOp } from '../../../agent/engine/step.ts';
import type { Sampling } from '../../../protocol/generate.ts';
import { referenceCases } from '../../support/reference.ts';
import { GREEDY, referenceLogits } from '../../support/sampling.ts';
import { evenRanges, StageChain } from '../../support/stages.ts';

const prompt = referenceCases[0]?.prompt_ids ?? [];
let chain: StageChain;

interface Wanted {
  options: Partial<Sampling>;
  stopIds?: number[];
  maxTokens?: number;
}

interface Running {
  session: number;
  position: number;
  logits: number[];
  sampled: Sampled;
}

/** Opens a session and draws its first token. */
async function start({ options, stopIds = [1], maxTokens = 50 }: Wanted): Promise<Running> {
  const { session, op } = chain.open({ maxTokens, stopIds, sampling: { ...GREEDY, ...options } });
  const promptIds = [...new Set(prompt)].sort((a, b) => a - b);
  const rows = [{ session, position: 0, count: prompt.length, sample: true }];
  const hidden = await chain.forward(rows, prompt, [{ ...op, promptIds } as SessionOp]);
  const logits = chain.lastLogits(rows, hidden);
  const [sampled] = await chain.sample(rows, hidden);
  return { session, position: prompt.length, logits, sampled: sampled as Sampled };
}

async function next({ session, position, sampled }: Running): Promise<Running> {
  const rows = [{ session, position, count: 1, sample: true }];
  const hidden = await chain.forward(rows, [sampled.token as number]);
  const logits = chain.lastLogits(rows, hidden);
  const [drawn] = await chain.sample(rows, hidden);
  return { session, position: position + 1, logits, sampled: drawn as Sampled };
}

/** All steps of one answer. */
async function answer(wanted: Wanted): Promise<Running[]> {
  const steps = [await start(wanted)];
  for (let last = steps[0] as Running; !last.sampled.finish; steps.push(last)) last = await next(last);
  chain.drop((steps[0] as Running).session);
  return steps;
}

const tokens = (steps: Running[]) => steps.map(({ sampled }) => sampled.token as number);

describe('sampling in a session', () => {
  before(async () => {
    chain = await StageChain.load(evenRanges(12, 2));
  });

  test('penalties see the prompt and the answer so far, and each token is the likeliest after them', async () => {
    const options = {
      repetitionPenalty: 4,
      presencePenalty: 2,
      frequencyPenalty: 2,
      logitBias: [[3, 2]] as [number, number][],
    };
    const steps = await answer({ options, maxTokens: 24 });
    const answerIds: number[] = [];
    for (const { logits, sampled } of steps) {
      const expected = referenceLogits(logits, { ...GREEDY, ...options }, { promptIds: prompt, answerIds });
      const best = expected.indexOf(Math.max(...expected));
      assert.equal(sampled.token, best, `token ${answerIds.length}`);
      answerIds.push(best);
    }
    assert.notDeepEqual(answerIds, tokens(await answer({ options: {}, maxTokens: 24 })));
  });

  test('an answer is as long as minTokens at least, and any of several stop tokens ends it then', async () => {
    const plain = tokens(await answer({ options: {} }));
    assert.ok(plain.length > 6, 'a reference answer that is worth cutting');
    const stopIds = [1, plain[2] as number, plain[4] as number];
    const cut = await answer({ options: {}, stopIds });
    assert.ok(cut.length <= 3);
    assert.equal(cut.at(-1)?.sampled.finish, 'stop');
    const longer = await answer({ options: { minTokens: 12 }, stopIds });
    assert.ok(longer.length > 12 || longer.at(-1)?.sampled.finish === 'length', `${longer.length}`);
    assert.deepEqual(
      tokens(longer)
        .slice(0, 12)
        .filter((token) => stopIds.includes(token)),
      [],
    );
    assert.equal((await answer({ options: { minTokens: 99 }, stopIds, maxTokens: 8 })).length, 8);
  });

  test('log probabilities come with each token, and the same request draws the same again', async () => {
    const options = { temperature: 2, topK: 30, seed: 5, topLogprobs: 3 };
    const steps = await answer({ options, maxTokens: 10 });
    for (const { logits, sampled } of steps) {
      const total = logits.reduce((sum, logit) => sum + Math.exp(logit), 0);
      const own = (logits[sampled.token as number] as number) - Math.log(total);
      assert.ok(Math.abs((sampled.logprobs?.logprob ?? 9) - own) < 1e-4);
      assert.equal(sampled.logprobs?.topLogprobs.length, 3);
      assert.ok((sampled.logprobs?.topLogprobs[0]?.logprob ?? -99) >= own - 1e-4);
    }
    assert.deepEqual(tokens(await answer({ options, maxTokens: 10 })), tokens(steps));
  });
});
