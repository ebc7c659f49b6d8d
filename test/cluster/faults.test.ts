// What a cluster does when parts of it go: it says so, ends what it cannot finish, and serves again.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, truncateSync } from 'node:fs';
import { describe, test } from 'node:test';
import { startController } from '../../controller/main.ts';
import { TestCluster } from '../support/cluster.ts';
import { ModelCopy } from '../support/model-copy.ts';
import { referenceCases } from '../support/reference.ts';
import { until } from '../support/until.ts';

const [reference] = referenceCases;
const prompt = reference?.prompt_ids ?? [];
const answer = reference?.greedy_ids.filter((id) => id !== 1);

test('a worker that is killed: requests end with the reason, a new epoch serves', async () => {
  const cluster = await TestCluster.up({ nodes: 3 });
  try {
    const { stages } = cluster.controller.status();
    const running = cluster.generate(prompt, { stopIds: [], maxTokens: 5_000 });
    const failed = assert.rejects(running, { code: 'stage_lost', message: /node-\d/ });
    await until(() => (cluster.controller.status().requests[0]?.tokens ?? 0) > 3);
    process.kill(stages[1]?.pid ?? 0, 'SIGKILL');
    await failed;
    assert.equal(cluster.controller.status().state, 'degraded');
    assert.match(cluster.controller.status().reason ?? '', /node-\d/);
    await assert.rejects(cluster.generate(prompt), { code: 'not_ready' });
    await cluster.untilServing();
    assert.equal(cluster.controller.status().epoch, 2);
    assert.deepEqual(await cluster.generate(prompt), answer);
  } finally {
    await cluster.down();
  }
});

test('a node that goes: the others carry on with all layers', async () => {
  const cluster = await TestCluster.up({ nodes: 3 });
  try {
    await cluster.agents[1]?.stop();
    await until(() => cluster.controller.status().state !== 'serving');
    await cluster.untilServing();
    const { stages, nodes } = cluster.controller.status();
    assert.deepEqual(
      stages.map((stage) => stage.range),
      [
        { start: 0, end: 6 },
        { start: 6, end: 12 },
      ],
    );
    assert.deepEqual(nodes.map((node) => node.state).sort(), ['connected', 'connected', 'lost']);
    assert.deepEqual(await cluster.generate(prompt), answer);
  } finally {
    await cluster.down();
  }
});

test('nodes that multicast cannot reach are found by their addresses, and the user is told', async () => {
  const cluster = await TestCluster.up({ nodes: 2, byAddress: true });
  try {
    const { nodes } = cluster.controller.status();
    assert.deepEqual(
      nodes.map((node) => node.foundBy),
      ['address', 'address'],
    );
    assert.deepEqual(await cluster.generate(prompt), answer);
    await until(() =>
      cluster.controller.status().events.some((event) => /no multicast seen/.test(event.text)),
    );
  } finally {
    await cluster.down();
  }
});

test('weights that are damaged after the start: the reason is told, and it serves when they are whole again', async () => {
  const copy = new ModelCopy();
  const cluster = await TestCluster.up({ nodes: 1, modelDir: copy.dir });
  try {
    truncateSync(copy.path('model.safetensors'), 1_000_000);
    process.kill(cluster.controller.status().stages[0]?.pid ?? 0, 'SIGKILL');
    await until(() => /cut off/.test(cluster.controller.status().reason ?? ''), 'the reason');
    await assert.rejects(cluster.generate(prompt), { code: 'not_ready' });
    copy.restoreWeights();
    await cluster.untilServing();
    assert.deepEqual(await cluster.generate(prompt), answer);
  } finally {
    await cluster.down();
    copy.remove();
  }
});

describe('a controller does not start', () => {
  const options = { host: '127.0.0.1', port: 0, agents: [], bonjourInterface: '127.0.0.1', cluster: 'none' };

  test('with damaged weights', async () => {
    const copy = new ModelCopy();
    try {
      truncateSync(copy.path('model.safetensors'), 4_000_000);
      const starting = startController({ ...options, modelDir: copy.dir, home: copy.path('home') });
      await assert.rejects(starting, { code: 'model_file_damaged', message: /cut off/ });
    } finally {
      copy.remove();
    }
  });

  test('on a port that is taken', async () => {
    const cluster = await TestCluster.up({ nodes: 1, asItIs: true });
    const copy = new ModelCopy();
    try {
      const { port } = cluster.controller;
      const starting = startController({ ...options, port, modelDir: copy.dir, home: copy.path('home') });
      await assert.rejects(starting, { code: 'port_taken', message: new RegExp(`${port}`) });
    } finally {
      copy.remove();
      await cluster.down();
    }
  });
});

test('what was used for tensor bytes is gone when the cluster is', {
  skip: !existsSync('/dev/shm') && 'there is no RAM disk here',
}, async () => {
  const scratch = () => readdirSync('/dev/shm').filter((name) => name.startsWith(`espalier-${process.pid}-`));
  const cluster = await TestCluster.up({ nodes: 2 });
  const { stages } = cluster.controller.status();
  assert.equal(scratch().length, 2);
  await cluster.down();
  assert.deepEqual(scratch(), []);
  for (const { pid } of stages) assert.throws(() => process.kill(pid ?? 0, 0), { code: 'ESRCH' });
});
