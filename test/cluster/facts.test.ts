// Facts on their way through a real cluster: from the machine to its agent, to the controller, to the public status.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ClusterStatus } from '../../protocol/status.ts';
import { TestCluster } from '../support/cluster.ts';
import { until } from '../support/until.ts';

test('each node of the status tells of its machine', async () => {
  const cluster = await TestCluster.up({ nodes: 2, asItIs: true });
  try {
    const nodes = () => cluster.controller.status().nodes;
    await until(() => nodes().length === 2 && nodes().every((node) => node.facts), 'facts of both nodes');
    const response = await fetch(`${cluster.url}/cluster/v1/status`);
    const status = ClusterStatus.parse(await response.json());
    for (const { facts } of status.nodes) {
      assert.ok(facts?.os);
      assert.equal(typeof facts.load.memoryAvailableBytes, 'number');
    }
  } finally {
    await cluster.down();
  }
});
