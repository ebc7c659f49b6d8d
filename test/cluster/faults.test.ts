// What a cluster does when parts of it go: its streams go on, it says what it did, and it serves again.
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { startController } from '../../controller/main.ts';
import { INCIDENTS_PATH, IncidentsReport } from '../../protocol/incidents.ts';
import { ALL_CASES } from '../support/all-cases.ts';
import { TestCluster } from '../support/cluster.ts';
import { ModelCopy } from '../support/model-copy.ts';
import { referenceCases } from '../support/reference.ts';
import { tightMemoryBytes } from '../support/tight-memory.ts';
import { until } from '../support/until.ts';

const [reference] = referenceCases;
const prompt = reference?.prompt_ids ?? [];
const answer = reference?.greedy_ids.filter((id) => id !== 1);

/** Answers to as many questions at once as there are streams, each with what mlx-lm answers. */
function eightStreams(cluster: TestCluster): { done: Promise<{ told: string[]; expected: string[] }> } {
  const cases = referenceCases.slice(0, 8);
  const told = Promise.all(cases.map(({ prompt_ids }) => cluster.generate(prompt_ids)));
  return {
    done: told.then((answers) => ({
      told: answers.map((ids) => ids.join()),
      expected: cases.map(({ greedy_ids }) => greedy_ids.filter((id) => id !== 1).join()),
    })),
  };
}

/** Until the streams are in the middle of their answers. */
async function inTheMiddle(cluster: TestCluster): Promise<void> {
  await until(() => {
    const { requests } = cluster.controller.status();
    return requests.length === 8 && requests.every(({ tokens }) => tokens > 3);
  }, 'eight running streams');
}

// the ends of the ring, and once its middle
const losses = [
  { signal: 'SIGKILL', index: 0 },
  { signal: 'SIGSTOP', index: 1 },
  { signal: 'SIGKILL', index: 2 },
  ...(ALL_CASES
    ? ([
        { signal: 'SIGSTOP', index: 0 },
        { signal: 'SIGKILL', index: 1 },
        { signal: 'SIGSTOP', index: 2 },
      ] as const)
    : []),
] as const;
for (const { signal, index } of losses) {
  test(`${signal} of the worker of stage ${index}: eight streams go on as if nothing had been`, async () => {
    const cluster = await TestCluster.up({ nodes: 3 });
    try {
      const { stages } = cluster.controller.status();
      const { done } = eightStreams(cluster);
      await inTheMiddle(cluster);
      process.kill(stages[index]?.pid ?? 0, signal);
      await until(() => cluster.controller.status().state === 'recovering', 'the loss to be noticed');
      const late = cluster.generate(prompt);
      const { told, expected } = await done;
      assert.deepEqual(told, expected);
      assert.deepEqual(await late, answer, 'who came while it recovered');
      const { stages: after, requestsFailed } = cluster.controller.status();
      assert.equal(requestsFailed, 0);
      assert.deepEqual(
        after.map(({ range }) => range),
        stages.map(({ range }) => range),
      );
      for (const [place, { pid }] of stages.entries()) {
        if (place === index) assert.notEqual(after[place]?.pid, pid);
        else assert.equal(after[place]?.pid, pid, 'the others keep what they have loaded');
      }
    } finally {
      await cluster.down();
    }
  });
}

test('a node that goes: its layers move, its streams go on, and it is told as an incident', async () => {
  const cluster = await TestCluster.up({ nodes: 3 });
  try {
    const { done } = eightStreams(cluster);
    await inTheMiddle(cluster);
    await cluster.agents[1]?.stop();
    const { told, expected } = await done;
    assert.deepEqual(told, expected);
    const { stages, nodes } = cluster.controller.status();
    assert.deepEqual([stages[0]?.range.start, stages.at(-1)?.range.end, stages.length], [0, 12, 2]);
    assert.deepEqual(nodes.map((node) => node.state).sort(), ['connected', 'connected', 'lost']);
    const response = await fetch(`${cluster.url}${INCIDENTS_PATH}`);
    const { incidents } = IncidentsReport.parse(await response.json());
    const incident = incidents.at(-1);
    assert.match(incident?.seen ?? '', /node-2/);
    assert.equal(incident?.outcome, 'serving');
    assert.ok((incident?.pause.loadMs ?? -1) >= 0 && (incident?.pause.replayMs ?? -1) >= 0);
  } finally {
    await cluster.down();
  }
});

test('where the rest cannot hold the model, requests end with what is missing, and it serves when the node is back', async () => {
  const cluster = await TestCluster.up({ nodes: 3, memoryLimitBytes: await tightMemoryBytes() });
  try {
    const running = cluster.generate(prompt, { stopIds: [], maxTokens: 5_000 });
    const failed = assert.rejects(running, { code: 'not_enough_nodes', message: /does not fit: .* missing/ });
    await until(() => (cluster.controller.status().requests[0]?.tokens ?? 0) > 3);
    const [kept] = cluster.controller.status().stages;
    await cluster.agents[1]?.stop();
    await failed;
    const health = await fetch(`${cluster.url}/health`);
    assert.equal(health.status, 503);
    assert.match(await health.text(), /"degraded".*does not fit/);
    await assert.rejects(cluster.generate(prompt), { code: 'not_ready' });
    await cluster.restartAgent(1);
    await cluster.untilServing();
    assert.equal(cluster.controller.status().stages[0]?.pid, kept?.pid, 'who stayed has kept its layers');
    assert.deepEqual(await cluster.generate(prompt), answer);
  } finally {
    await cluster.down();
  }
});

test('a controller that is started anew takes over the workers, and answers without loading', async () => {
  const home = mkdtempSync(join(tmpdir(), 'espalier-test-'));
  const cluster = await TestCluster.up({ nodes: 3, controllerHome: home });
  try {
    assert.deepEqual(await cluster.generate(prompt), answer);
    const { stages, epoch } = cluster.controller.status();
    await cluster.restartController();
    assert.deepEqual(await cluster.generate(prompt), answer);
    const after = cluster.controller.status();
    assert.deepEqual(
      after.stages.map(({ pid }) => pid),
      stages.map(({ pid }) => pid),
    );
    assert.ok(after.epoch > epoch);
  } finally {
    await cluster.down();
    rmSync(home, { recursive: true, force: true });
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
    const waiting = cluster.generate(prompt);
    copy.restoreWeights();
    assert.deepEqual(await waiting, answer);
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
