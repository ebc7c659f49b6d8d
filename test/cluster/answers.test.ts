// A real cluster against mlx-lm: every reference case through worker processes and sockets, at once and again.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { sampleOf } from '../support/all-cases.ts';
import { TestCluster } from '../support/cluster.ts';
import { referenceCases } from '../support/reference.ts';

// through 1 and 2 stages in one process: test/agent/engine/engine.test.ts
for (const nodes of [3, 6]) {
  test(`${nodes} stages in ${nodes} processes answer the reference cases as mlx-lm does`, async () => {
    const cases = nodes === 3 ? referenceCases : sampleOf(referenceCases, 3);
    const cluster = await TestCluster.up({ nodes });
    try {
      const { stages } = cluster.controller.status();
      assert.equal(new Set(stages.map((stage) => stage.pid)).size, nodes);
      const answers = await Promise.all(cases.map((reference) => cluster.generate(reference.prompt_ids)));
      for (const [i, reference] of cases.entries()) {
        assert.deepEqual(
          answers[i],
          reference.greedy_ids.filter((id) => id !== 1),
          `case ${i} (${reference.kind})`,
        );
      }
    } finally {
      await cluster.down();
    }
  });
}

describe('a cluster of three', () => {
  let cluster: TestCluster;
  before(async () => {
    cluster = await TestCluster.up({ nodes: 3 });
  });
  after(() => cluster.down());
  const [reference] = referenceCases;
  const prompt = reference?.prompt_ids ?? [];

  test('each worker holds its own layers only', () => {
    const { stages } = cluster.controller.status();
    assert.deepEqual(
      stages.map((stage) => stage.range),
      [
        { start: 0, end: 4 },
        { start: 4, end: 8 },
        { start: 8, end: 12 },
      ],
    );
    const whole = stages.reduce((sum, stage) => sum + stage.weightBytes, 0);
    for (const { weightBytes } of stages)
      assert.ok(weightBytes > 1_000_000 && weightBytes < whole / 2, `${weightBytes} of ${whole}`);
  });

  test('the same seed gives the same answer, whatever shares its steps', async () => {
    const sampling = { temperature: 3, topP: 0.99, seed: 42 };
    const alone = await cluster.generate(prompt, { sampling, maxTokens: 60 });
    const crowd = referenceCases
      .slice(0, 12)
      .map(({ prompt_ids }) => cluster.generate(prompt_ids, { maxTokens: 60 }));
    const together = await cluster.generate(prompt, { sampling, maxTokens: 60 });
    await Promise.all(crowd);
    assert.deepEqual(together, alone);
    const other = await cluster.generate(prompt, { sampling: { ...sampling, seed: 43 }, maxTokens: 60 });
    assert.notDeepEqual(other, alone);
  });

  test('a cancelled request leaves no session behind, and others go on', async () => {
    const abort = new AbortController();
    const cancelled = (async () => {
      let count = 0;
      const request = {
        promptIds: prompt,
        maxTokens: 5_000,
        stopIds: [],
        sampling: { temperature: 0, topP: 1, seed: 0 },
      };
      for await (const _ of cluster.controller.source.generate(request, abort.signal)) {
        if (++count === 5) abort.abort();
      }
      return count;
    })();
    const answer = await cluster.generate(prompt);
    assert.ok((await cancelled) < 200);
    assert.deepEqual(
      answer,
      reference?.greedy_ids.filter((id) => id !== 1),
    );
    assert.equal(cluster.controller.status().requestsRunning, 0);
  });

  test('what a stage must refuse is an error of that request alone', async () => {
    await assert.rejects(cluster.generate([5, 999_999]), { code: 'invalid_request', message: /999999/ });
    await assert.rejects(cluster.generate(prompt, { maxTokens: 200_000 }), {
      code: 'context_length_exceeded',
    });
    assert.deepEqual(
      await cluster.generate(prompt),
      reference?.greedy_ids.filter((id) => id !== 1),
    );
    assert.equal(cluster.controller.status().epoch, 1);
  });
});
