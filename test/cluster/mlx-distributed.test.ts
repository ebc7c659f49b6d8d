// A real cluster on MLX Distributed: agents, a controller, and a ring of real ranks, of which some die or freeze. Whatever
// happens, every text is the one that one process of mlx-lm writes.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isAlive } from '../../protocol/home-lock.ts';
import { DEFAULT_PLANNING } from '../../protocol/plan.ts';
import type { Split } from '../../protocol/ranks.ts';
import { ALL_CASES } from '../support/all-cases.ts';
import { TestCluster } from '../support/cluster.ts';
import { noMlx, testEnginesDir } from '../support/mlx.ts';
import { type ReferenceCase, referenceCases } from '../support/reference.ts';
import { until } from '../support/until.ts';

const skip = await noMlx();
const [first, second, third] = referenceCases as [ReferenceCase, ReferenceCase, ReferenceCase];
/** An answer in whose middle something can happen. */
const LONG = referenceCases.find(({ greedy_ids }) => greedy_ids.length > 100) as ReferenceCase;
const SEEDED = { temperature: 1, topP: 1, seed: 11 };
const answerOf = ({ greedy_ids }: ReferenceCase) => greedy_ids.filter((id) => id !== 1);

const up = (split: Split, layers?: number[]) =>
  TestCluster.up({
    nodes: 2,
    enginesDir: testEnginesDir,
    planning: { ...DEFAULT_PLANNING, engine: { choice: 'mlx-distributed', split }, layers },
  });

const stagesOf = (cluster: TestCluster) => cluster.controller.status().stages;
const pidOf = (cluster: TestCluster, index: number) => stagesOf(cluster)[index]?.pid as number;

async function servesAnew(cluster: TestCluster, epoch: number, dead: number[]): Promise<void> {
  await until(() => cluster.controller.status().epoch > epoch, 'another deployment', 90_000);
  await cluster.untilServing();
  for (const pid of dead) assert.equal(isAlive(pid), false, `rank ${pid} lives on`);
}

/** Something happens to a rank in the middle of two answers, of which nobody notices more than a pause. */
async function inTheMiddle(cluster: TestCluster, happens: () => Promise<void> | void): Promise<void> {
  const options = { sampling: SEEDED, maxTokens: 60, stopIds: [] };
  const seeded = await cluster.generate(first.prompt_ids, options);
  const { epoch } = cluster.controller.status();
  const before = stagesOf(cluster).flatMap(({ pid }) => pid ?? []);
  const steps = () => stagesOf(cluster).at(-1)?.tokensTotal ?? 0;
  const from = steps();
  const answers = Promise.all([
    cluster.generate(LONG.prompt_ids),
    cluster.generate(first.prompt_ids, options),
  ]);
  await until(() => steps() > from, 'tokens');
  await happens();
  assert.deepEqual(await answers, [answerOf(LONG), seeded]);
  await servesAnew(cluster, epoch, before);
}

describe('a cluster on MLX Distributed', { skip, timeout: 600_000 }, () => {
  test('answers by a ring of two ranks, and goes on when one of them dies, freezes, or goes with its node', async () => {
    const cluster = await up('pipeline', [7, 5]);
    try {
      assert.equal(cluster.controller.status().engine, 'mlx-distributed');
      assert.deepEqual(
        stagesOf(cluster).map(({ range }) => range),
        [
          { start: 0, end: 7 },
          { start: 7, end: 12 },
        ],
      );
      const all = [first, second, third];
      const answers = await Promise.all(all.map((each) => cluster.generate(each.prompt_ids)));
      assert.deepEqual(answers, all.map(answerOf));
      // what no grammar can be kept to is refused, and hurts nobody
      const grammar = { structuralTag: '{}' };
      await assert.rejects(cluster.generate(first.prompt_ids, { grammar }), /has no grammars/);
      await inTheMiddle(cluster, () => void process.kill(pidOf(cluster, 0), 'SIGKILL'));
      await inTheMiddle(cluster, () => void process.kill(pidOf(cluster, 1), 'SIGSTOP'));
      // a controller that is started anew finds what was deployed
      await cluster.restartController();
      assert.deepEqual(await cluster.generate(second.prompt_ids), answerOf(second));
    } finally {
      await cluster.down();
    }
  });

  test('two tensor ranks: one goes with its node in the middle of answers, and the other one goes on alone', async () => {
    const cluster = await up('tensor');
    try {
      const [node] = stagesOf(cluster);
      assert.deepEqual(node?.range, { start: 0, end: 12 });
      await inTheMiddle(cluster, async () => {
        await cluster.agents[0]?.stop();
      });
      assert.equal(stagesOf(cluster).length, 1);
      await cluster.restartAgent(0);
      await until(() => stagesOf(cluster).length === 2, 'the tensor split that was asked for', 60_000);
      await cluster.untilServing();
      assert.deepEqual(await cluster.generate(second.prompt_ids), answerOf(second));
    } finally {
      await cluster.down();
    }
  });

  for (const index of [0, 1]) {
    for (const signal of ['SIGKILL', 'SIGSTOP'] as const) {
      test(`${signal} of rank ${1 - index}, idle and in the middle`, {
        skip: !ALL_CASES && 'takes minutes: ESPALIER_ALL_CASES=1 asks for it',
      }, async () => {
        const cluster = await up('pipeline');
        try {
          const { epoch } = cluster.controller.status();
          const pids = [pidOf(cluster, 0), pidOf(cluster, 1)];
          process.kill(pidOf(cluster, index), signal);
          await servesAnew(cluster, epoch, pids);
          assert.deepEqual(await cluster.generate(first.prompt_ids), answerOf(first));
          await inTheMiddle(cluster, () => void process.kill(pidOf(cluster, index), signal));
        } finally {
          await cluster.down();
        }
      });
    }
  }
});
