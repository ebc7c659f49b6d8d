// A model for six Macs of the lab, over a line that is slower than their links, while their agents are killed.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { HubScene } from '../../scripts/lab/hub-scene.ts';
import { until } from '../support/until.ts';
import { skipLab } from './skip-lab.ts';

const MACS = 6;
const KILLS = 50;
const TIMEOUT_MS = 280_000;

/** It takes three minutes of both processors. */
const tooLong = process.env.ESPALIER_ALL_CASES !== '1' && 'ESPALIER_ALL_CASES=1 runs it';

describe('a model for six Macs', { skip: tooLong || (await skipLab()) }, () => {
  let scene: HubScene;
  before(
    async () => {
      scene = await HubScene.up({ macs: MACS, shards: 12, modelBytes: 240_000_000, hubGbps: 0.05 });
    },
    { timeout: TIMEOUT_MS },
  );
  after(() => scene?.[Symbol.asyncDispose]());

  test(`agents are killed ${KILLS} times, and it ends verified, each Mac with its own files`, {
    timeout: TIMEOUT_MS,
  }, async (t) => {
    const { cluster } = scene.macs;
    let kills = 0;
    const begun = await scene.begin();
    const pull = await scene.end(begun, async ({ state }) => {
      if (state !== 'pulling' || kills >= KILLS) return;
      const index = Math.floor(Math.random() * MACS);
      const pid = cluster.agentPid(index);
      if (pid === undefined) return;
      kills += 1;
      process.kill(pid, 'SIGKILL');
      await until(() => cluster.agentPid(index) === undefined, 'its end');
      cluster.startAgent(index);
    });
    assert.equal(pull.failure, null, cluster.log.slice(-3_000));
    assert.equal(pull.state, 'done');
    const hub = scene.hubFiles;
    const shards = [...hub.keys()].filter((name) => name.endsWith('.safetensors'));
    const held: string[] = [];
    for (let index = 0; index < MACS; index += 1) {
      const files = scene.filesOf(index);
      for (const [name, size] of files) assert.equal(size, hub.get(name), `${name} on Mac ${index}`);
      held.push(...[...files.keys()].filter((name) => name.endsWith('.safetensors')));
      assert.equal(
        files.size,
        2 + hub.size - shards.length,
        `Mac ${index} holds two shards and the text files`,
      );
    }
    assert.deepEqual(held.sort(), shards.sort(), 'each shard lies on one Mac');
    const once = [...hub.values()].reduce((sum, size) => sum + size, 0);
    const sent = await scene.hubSentBytes();
    t.diagnostic(`${kills} kills; the hub sent ${(sent / once).toFixed(3)} copies`);
    // what was in sockets when an agent was killed is sent again
    assert.ok(sent <= once * 1.02 + kills * 4_000_000, `${sent} bytes were sent for ${once}`);
    assert.ok(kills >= Math.min(KILLS, 2), 'some were killed while it ran');
    const verified = await cluster.cli('models', 'verify', 'sharded-demo');
    assert.match(verified, /every file is as it should be/);
  });
});
