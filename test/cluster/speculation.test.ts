// Guesses over real processes: what is told of them, and streams that lose a stage while tokens are guessed for them.
// ESPALIER_ALL_CASES=1 adds the other faults.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ALL_CASES } from '../support/all-cases.ts';
import { TestCluster } from '../support/cluster.ts';
import { type ReferenceCase, referenceCases } from '../support/reference.ts';
import { until } from '../support/until.ts';

const long = referenceCases.find(
  ({ greedy_ids: { length } }) => length > 100 && length < 140,
) as ReferenceCase;
const expected = long.greedy_ids.filter((id) => id !== 1);

describe('one stream over three stages', () => {
  let cluster: TestCluster;
  before(async () => {
    cluster = await TestCluster.up({ nodes: 3, speculation: 'draft' });
  });
  after(() => cluster.down());

  const kept = () => cluster.controller.status().guesses?.[0]?.kept ?? 0;

  test('answers as mlx-lm does, and status and metrics tell what was guessed', async () => {
    const answer = cluster.generate(long.prompt_ids);
    await until(
      () => (cluster.controller.status().requests[0]?.guesses?.kept ?? 0) > 0,
      'guesses of the running request',
    );
    const [request] = cluster.controller.status().requests;
    assert.equal(request?.guesses?.source, 'draft');
    assert.ok((request?.guesses?.sent ?? 0) >= (request?.guesses?.kept ?? 0));
    assert.deepEqual(await answer, expected);
    const metrics = await (await fetch(`${cluster.url}/metrics`)).text();
    assert.match(metrics, /^espalier_guesses_kept\{source="draft"\} [1-9]\d*$/m);
  });

  for (const [signal, index] of [
    ['SIGKILL', 0],
    ['SIGKILL', 2],
    ['SIGSTOP', 1],
    ['SIGSTOP', 0],
  ] as const) {
    const isSample = signal === 'SIGKILL' && index === 0;
    const skip = !isSample && !ALL_CASES;
    test(`${signal} of the worker of stage ${index} in mid-stream: the text stays the same`, {
      skip,
    }, async () => {
      const before = kept();
      const answer = cluster.generate(long.prompt_ids);
      await until(() => kept() > before, 'guesses');
      process.kill(cluster.controller.status().stages[index]?.pid ?? 0, signal);
      assert.deepEqual(await answer, expected);
      assert.equal(cluster.controller.status().requestsFailed, 0);
    });
  }
});
