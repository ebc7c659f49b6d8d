// The links of a real cluster on this machine: measured over loopback between real agents, while nobody asks anything.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { LINKS_PATH, LinksReport, MEASURE_LINKS_PATH } from '../../protocol/links.ts';
import { TestCluster } from '../support/cluster.ts';
import { referenceCases } from '../support/reference.ts';
import { until } from '../support/until.ts';

describe('the links of a cluster of three', () => {
  let cluster: TestCluster;
  before(async () => {
    cluster = await TestCluster.up({ nodes: 3 });
  });
  after(() => cluster.down());

  async function links(): Promise<LinksReport> {
    const response = await fetch(`${cluster.url}${LINKS_PATH}`);
    return LinksReport.parse(await response.json());
  }
  const again = async () => LinksReport.parse(await (await cluster.post(MEASURE_LINKS_PATH, {})).json());

  test('are measured once it serves, and make the ways of the next hops', async () => {
    await until(async () => (await links()).waiting === 0, 'the measurements');
    const { pairs, findings } = await links();
    assert.equal(pairs.length, 3);
    for (const { isSameMachine, paths } of pairs) {
      assert.ok(isSameMachine);
      assert.deepEqual(
        paths.map(({ from, to }) => [from.address, to.address]),
        [['127.0.0.1', '127.0.0.1']],
      );
      assert.ok((paths[0]?.there?.gbps ?? 0) > 0 && (paths[0]?.back?.rttP50Us ?? 0) > 0);
    }
    assert.deepEqual(findings, []);
    assert.deepEqual(cluster.controller.status().linkFindings, []);
  });

  test('are left alone while a request runs, and measured when it is done', async () => {
    const prompt = referenceCases[0]?.prompt_ids ?? [];
    const answer = cluster.generate(prompt, { maxTokens: 60, stopIds: [] });
    const { waiting, blocked } = await again();
    assert.deepEqual([waiting, blocked], [3, 'a request runs']);
    assert.equal((await answer).length, 60);
    await until(async () => (await links()).waiting === 0, 'the measurements after it');
  });

  test('a deployment after the measurement links its stages over the measured paths', async () => {
    process.kill(cluster.controller.status().stages[1]?.pid as number, 'SIGKILL');
    await until(() => cluster.controller.status().epoch === 2, 'a new epoch');
    await cluster.untilServing();
    const { stages } = cluster.controller.status();
    for (const { hop } of stages) {
      assert.deepEqual([hop?.fromAddress, hop?.toAddress], ['127.0.0.1', '127.0.0.1']);
      assert.ok((hop?.gbps ?? 0) > 0);
    }
    const [reference] = referenceCases;
    const tokens = await cluster.generate(reference?.prompt_ids ?? []);
    assert.deepEqual(
      tokens,
      reference?.greedy_ids.filter((id) => id !== 1),
    );
  });
});
