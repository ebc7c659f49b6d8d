// What the status tells is what happened: tokens counted at the API against the rates that each node reports, over the
// same window; and an operator's wishes on a real cluster.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { z } from 'zod';
import { ClusterHistory, HISTORY_PATH } from '../../protocol/history.ts';
import { cancelPath, drainPath, OperationAnswer, undrainPath } from '../../protocol/operations.ts';
import type { ClusterStatus } from '../../protocol/status.ts';
import { TestCluster } from '../support/cluster.ts';
import { referenceCases } from '../support/reference.ts';
import { until } from '../support/until.ts';

const Completion = z.object({
  choices: z.tuple([z.object({ finish_reason: z.string() })]),
  usage: z.object({
    prompt_tokens: z.int(),
    completion_tokens: z.int(),
    prompt_tokens_details: z.object({ cached_tokens: z.int() }).nullish(),
  }),
});

const STREAMS = 4;
const TOKENS = 150;

describe('the rates of a cluster of three', () => {
  let cluster: TestCluster;
  before(async () => {
    cluster = await TestCluster.up({ nodes: 3 });
  });
  after(() => cluster.down());

  const status = (): ClusterStatus => cluster.controller.status();
  const history = async () =>
    ClusterHistory.parse(await (await fetch(`${cluster.url}${HISTORY_PATH}`)).json());
  /** the last whole second was reported by every node, and nothing ran */
  const isAtRest = async () => {
    const { nodes } = await history();
    return nodes.length === 3 && nodes.every(({ tokensPerSecond }) => tokensPerSecond.at(-1) === 0);
  };
  const sum = (samples: readonly (number | null)[]) =>
    samples.reduce<number>((all, sample) => all + (sample ?? 0), 0);

  test('are the tokens that clients counted, within 3 %', async () => {
    await until(isAtRest, 'a second of rest that all nodes have reported');
    let counted = 0;
    let passed = 0;
    await Promise.all(
      Array.from({ length: STREAMS }, async (_, stream) => {
        const prompt = [...(referenceCases[stream]?.prompt_ids ?? []).slice(0, 9), 300 + stream];
        const body = { prompt, max_tokens: TOKENS, temperature: 1, seed: stream };
        const response = await cluster.post('/v1/completions', body);
        const { usage, choices } = Completion.parse(await response.json());
        counted += usage.completion_tokens;
        // what was taken over was not computed, and after the last token of a full answer nothing is
        passed +=
          usage.prompt_tokens - (usage.prompt_tokens_details?.cached_tokens ?? 0) + usage.completion_tokens;
        if (choices[0].finish_reason === 'length') passed -= 1;
      }),
    );
    assert.ok(counted > STREAMS * 20, `${counted} tokens`);
    const endedAt = Date.now();
    const isTold = async () => (await history()).at > endedAt && (await isAtRest());
    await until(isTold, 'a history that ends in rest');
    const told = await history();
    assert.ok(
      Math.abs(sum(told.tokensPerSecond) / counted - 1) < 0.03,
      `cluster ${sum(told.tokensPerSecond)}`,
    );
    for (const { id, tokensPerSecond } of told.nodes)
      assert.ok(
        Math.abs(sum(tokensPerSecond) / passed - 1) < 0.03,
        `${id}: ${sum(tokensPerSecond)} of ${passed}`,
      );
    for (const { tokensTotal } of status().stages) assert.equal(tokensTotal, passed);
  });

  test('a prediction stands beside what is measured, for as many streams as run', async () => {
    const answers = [0, 1].map((stream) =>
      cluster.generate(referenceCases[stream]?.prompt_ids ?? [], { maxTokens: 60, stopIds: [] }),
    );
    await until(() => status().predicted?.now?.streams === 2, 'a prediction for two');
    const { predicted, stages } = status();
    assert.ok((predicted?.now?.tokensPerSecond ?? 0) > 0 && (predicted?.limit ?? '') !== '');
    assert.ok(
      stages.every(
        ({ usableBytes, predictedStepMs }) => (usableBytes ?? 0) > 0 && (predictedStepMs ?? 0) > 0,
      ),
    );
    await Promise.all(answers);
  });

  test('a request is cancelled: its client is told, and its session is free again', async () => {
    const body = { messages: [{ role: 'user', content: 'Count to a thousand.' }], max_tokens: 900 };
    const asked = cluster.post('/v1/chat/completions', { ...body, ignore_eos: true });
    await until(() => status().requests.some(({ phase }) => phase === 'decode'), 'a request that decodes');
    const [request] = status().requests;
    assert.equal(request?.client, 'node');
    const told = OperationAnswer.parse(await (await cluster.post(cancelPath(request?.id ?? ''), {})).json());
    assert.equal(told.text, 'the request is cancelled');
    const answer = await asked;
    assert.equal(answer.status, 410);
    assert.equal((await cluster.post(cancelPath(request?.id ?? ''), {})).status, 404);
    await until(() => status().kv?.liveTokens === 0, 'room that is free again');
  });

  test('a drained node gives its layers away while a stream goes on, with the same text', async () => {
    const { prompt_ids: prompt = [], greedy_ids: expected = [] } = referenceCases[0] ?? {};
    const answer = cluster.generate(prompt);
    await until(() => status().requests.some(({ tokens }) => tokens > 1), 'a stream');
    const middle = status().stages[1]?.nodeId ?? '';
    assert.equal((await cluster.post(drainPath(middle), { now: true })).status, 200);
    const tokens = await answer;
    assert.deepEqual(tokens, expected.slice(0, tokens.length));
    await until(() => status().state === 'serving' && status().stages.length === 2, 'two stages');
    assert.ok(status().stages.every(({ nodeId }) => nodeId !== middle));
    assert.equal(status().nodes.find(({ id }) => id === middle)?.isDrained, true);
    assert.equal(
      status().incidents?.some(({ seen }) => /drain/.test(seen)),
      false,
    );

    assert.equal((await cluster.post(undrainPath(middle), {})).status, 200);
    assert.equal(status().nodes.find(({ id }) => id === middle)?.isDrained, false);
    assert.equal((await cluster.post(drainPath('nobody'), {})).status, 404);
  });
});
