// Facts on their way through a real cluster: from the machine to its agent, to the controller, to the public status.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { credentialHeaders } from '../../protocol/credential.ts';
import { DOCTOR_PATH, DoctorReport } from '../../protocol/doctor.ts';
import { ClusterStatus } from '../../protocol/status.ts';
import { TestCluster } from '../support/cluster.ts';
import { until } from '../support/until.ts';

test('each node of the status tells of its machine, and checks itself when doctor asks', async () => {
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
    assert.equal((await fetch(`${cluster.url}${DOCTOR_PATH}`)).status, 403, 'it takes authority');
    const headers = credentialHeaders(cluster.url, { ESPALIER_HOME: cluster.controllerHome });
    const ask = async () =>
      DoctorReport.parse(await (await fetch(`${cluster.url}${DOCTOR_PATH}`, { headers })).json());
    const report = await ask();
    assert.deepEqual(report.nodes.map(({ name }) => name).sort(), ['node-1', 'node-2']);
    for (const { nodeVersion, espalierVersion } of report.nodes)
      assert.deepEqual([nodeVersion, espalierVersion], [report.nodeVersion, report.espalierVersion]);
    assert.deepEqual(
      report.findings.filter(({ id }) => ['clock-off', 'not-answering', 'not-paired'].includes(id)),
      [],
    );
    await cluster.agents[1]?.stop();
    await until(() => nodes().some(({ state }) => state === 'lost'), 'a lost node');
    const without = await ask();
    assert.deepEqual(
      without.nodes.map(({ name }) => name),
      ['node-1'],
    );
    assert.equal(without.findings.find(({ id }) => id === 'not-answering')?.node, 'node-2');
  } finally {
    await cluster.down();
  }
});
