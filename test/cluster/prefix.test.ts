// Conversations that go on: a later turn computes only what is new, and answers as if it had computed everything.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import OpenAI from 'openai';
import { TestCluster } from '../support/cluster.ts';
import { referenceCases } from '../support/reference.ts';
import { GREEDY } from '../support/sampling.ts';
import { evenRanges, StageChain } from '../support/stages.ts';

const EOS = 1;
const prompts = referenceCases
  .slice(0, 6)
  .map(({ prompt_ids, greedy_ids }) => [...prompt_ids, ...greedy_ids]);

/** The tokens of an answer, and how many of its prompt's were not computed. */
async function ask(cluster: TestCluster, promptIds: number[], signal = new AbortController().signal) {
  const request = { promptIds, maxTokens: 30, stopIds: [EOS], sampling: GREEDY };
  const tokens: number[] = [];
  let cached = 0;
  for await (const { token, cachedTokens } of cluster.controller.source.generate(request, signal)) {
    if (token !== null) tokens.push(token);
    cached += cachedTokens ?? 0;
  }
  return { tokens, cached };
}

describe('a cluster of three', () => {
  let cluster: TestCluster;
  let chain: StageChain;
  before(async () => {
    cluster = await TestCluster.up({ nodes: 3 });
    chain = await StageChain.load(evenRanges(12, 1));
  });
  after(() => cluster.down());
  const computed = async (promptIds: number[]) => {
    const tokens = await chain.generate(promptIds, { maxTokens: 30, stopIds: [EOS] });
    return tokens.filter((id) => id !== EOS);
  };

  test('five turns, each with all tokens before it', async () => {
    let conversation = [...(referenceCases[0]?.prompt_ids ?? [])];
    for (let turn = 0; turn < 5; turn++) {
      const { tokens, cached } = await ask(cluster, conversation);
      assert.deepEqual(tokens, await computed(conversation), `turn ${turn + 1}`);
      const next = [...conversation, ...tokens];
      // of the answer before, at most the token that was drawn last has to be computed
      if (turn > 0)
        assert.ok(cached >= conversation.length - 22, `${cached} of ${conversation.length} tokens`);
      conversation = [...next, EOS, ...(referenceCases[turn]?.prompt_ids.slice(1, 21) ?? [])];
    }
  });

  test('many conversations at once that begin alike, and leave each other at different places', async () => {
    const common = prompts.flat().slice(0, 700);
    await ask(cluster, common);
    const questions = prompts.map((prompt, i) => [
      ...common.slice(0, 700 - 90 * i),
      ...prompt.slice(0, 30 + i),
    ]);
    const answers = await Promise.all(questions.map((question) => ask(cluster, question)));
    for (const [i, { tokens, cached }] of answers.entries()) {
      assert.deepEqual(tokens, await computed(questions[i] as number[]), `conversation ${i}`);
      assert.ok(cached >= 700 - 90 * i - 1, `conversation ${i}: ${cached} cached`);
    }
  });

  test('what a cancelled request had computed is used by the next one', async () => {
    const prompt = (prompts[3] ?? []).toReversed();
    const abort = new AbortController();
    const request = { promptIds: prompt, maxTokens: 2000, stopIds: [], sampling: GREEDY };
    for await (const { index } of cluster.controller.source.generate(request, abort.signal)) {
      if (index === 3) abort.abort();
    }
    const { tokens, cached } = await ask(cluster, [...prompt, 50]);
    assert.ok(cached >= prompt.length, `${cached} cached`);
    assert.deepEqual(tokens, await computed([...prompt, 50]));
  });

  test('a client of the API is told how many tokens of its prompt were there already', async () => {
    const client = new OpenAI({ baseURL: `${cluster.url}/v1`, apiKey: 'none', maxRetries: 0 });
    const messages = [{ role: 'user', content: 'What is 17 plus 25, and why is that so?' }] as const;
    const turn = () =>
      client.chat.completions.create({ model: 'espalier-demo', messages: [...messages], max_tokens: 8 });
    await turn();
    const { usage } = await turn();
    assert.equal(usage?.prompt_tokens_details?.cached_tokens, (usage?.prompt_tokens ?? 0) - 1);
  });
});
