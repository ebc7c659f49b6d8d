// Sampling options on their way through real processes: from the controller to the last stage, and what it tells back.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Sampling, TokenEvent } from '../../protocol/generate.ts';
import { TestCluster } from '../support/cluster.ts';
import { referenceCases } from '../support/reference.ts';
import { GREEDY } from '../support/sampling.ts';
import { evenRanges, StageChain } from '../support/stages.ts';

const prompt = referenceCases[0]?.prompt_ids ?? [];
const OPTIONS: Partial<Sampling> = {
  repetitionPenalty: 4,
  frequencyPenalty: 2,
  logitBias: [[5, -100]],
  minTokens: 12,
  topLogprobs: 2,
};

describe('sampling options over a cluster of three', () => {
  let cluster: TestCluster;
  before(async () => {
    cluster = await TestCluster.up({ nodes: 3 });
  });
  after(() => cluster.down());

  async function events(options: Partial<Sampling>): Promise<TokenEvent[]> {
    const sampling = { ...GREEDY, ...options };
    const request = { promptIds: prompt, maxTokens: 16, stopIds: [1], sampling };
    const { signal } = new AbortController();
    const all: TokenEvent[] = [];
    for await (const event of cluster.controller.source.generate(request, signal)) all.push(event);
    return all;
  }

  test('the last stage knows the prompt and the answer: the tokens are those of one engine alone', async () => {
    const alone = await StageChain.load(evenRanges(12, 1));
    const { session, op } = alone.open({ maxTokens: 16, sampling: { ...GREEDY, ...OPTIONS } });
    const open = { ...op, promptIds: [...new Set(prompt)] };
    const rows = [{ session, position: 0, count: prompt.length, sample: true }];
    let [sampled] = await alone.step(rows, prompt, [open]);
    const expected: (number | undefined)[] = [];
    for (let position = prompt.length; sampled; position++) {
      if (sampled.finish !== 'stop') expected.push(sampled.token);
      if (sampled.finish) break;
      [sampled] = await alone.step(
        [{ session, position, count: 1, sample: true }],
        [sampled.token as number],
      );
    }
    const tokens = (await events(OPTIONS)).flatMap(({ token }) => token ?? []);
    assert.deepEqual(tokens, expected);
    assert.ok(tokens.length >= 12);
    const plain = (await events({})).flatMap(({ token }) => token ?? []);
    assert.notDeepEqual(tokens, plain, 'the options make a difference');
  });

  test('log probabilities arrive with each token, and only where they were asked for', async () => {
    for (const { token, logprob, topLogprobs } of await events({ topLogprobs: 2 })) {
      if (token === null) {
        assert.deepEqual([logprob, topLogprobs], [undefined, undefined]);
        continue;
      }
      assert.equal(topLogprobs?.length, 2);
      // greedy: the drawn token is the likeliest
      assert.deepEqual(topLogprobs?.[0], { token, logprob });
      assert.ok((logprob ?? 1) <= 0);
    }
    for (const event of await events({})) assert.ok(!('logprob' in event) && !('topLogprobs' in event));
  });

  test('a bias for a token that is not there is refused for this request alone', async () => {
    await assert.rejects(events({ logitBias: [[999_999, 1]] }), {
      code: 'invalid_request',
      message: /logit_bias: token id 999999 is not in the vocabulary/,
    });
    assert.ok((await events({})).length > 0);
  });
});
