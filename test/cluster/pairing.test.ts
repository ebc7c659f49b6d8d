// Nodes that come and go by pairing, in a real cluster: strangers are not used, paired ones are, and an unpaired one is out
// at once, with the key that it still has.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { WebSocket } from 'ws';
import { shownCode } from '../../agent/trust/code.ts';
import { type Identity, loadIdentity } from '../../protocol/identity.ts';
import { PAIRING_PATH, PairingReport, UNPAIRING_PATH } from '../../protocol/pairing.ts';
import { PROTOCOL_VERSION } from '../../protocol/version.ts';
import { TestCluster } from '../support/cluster.ts';
import { referenceCases } from '../support/reference.ts';
import { until } from '../support/until.ts';

const prompt = referenceCases[0]?.prompt_ids ?? [];
const answer = referenceCases[0]?.greedy_ids.filter((id) => id !== 1);

async function report(cluster: TestCluster): Promise<PairingReport> {
  return PairingReport.parse(await (await fetch(`${cluster.url}${PAIRING_PATH}`)).json());
}

/** What an agent answers to somebody with a key who says a controller's hello. */
async function sayHello(port: number, { key, certificate: cert }: Identity, path: string): Promise<string> {
  const url = `wss://127.0.0.1:${port}${path}`;
  const socket = new WebSocket(url, { key, cert, rejectUnauthorized: false });
  try {
    const said = once(socket, 'message', { signal: AbortSignal.timeout(10_000) });
    await once(socket, 'open');
    const ids = { controllerId: 'c', controllerBootId: 'b', espalierVersion: '0' };
    const hello = { kind: 'hello', protocol: PROTOCOL_VERSION, cluster: 'home', ...ids };
    socket.send(JSON.stringify(hello));
    return String((await said)[0]);
  } finally {
    socket.terminate();
  }
}

test('nodes work once they are paired by their codes, and not before', async () => {
  const cluster = await TestCluster.up({ nodes: 2, unpaired: true, asItIs: true });
  try {
    await until(async () => (await report(cluster)).waiting.length === 2, 'two nodes that wait');
    assert.deepEqual(cluster.controller.status().nodes, []);
    assert.ok(cluster.controller.status().events.some(({ fix }) => /`espalier pair node-1`/.test(fix ?? '')));

    const unasked = await fetch(`${cluster.url}${PAIRING_PATH}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ node: 'node-1', code: shownCode(cluster.agentHomes[0] ?? '') }),
    });
    assert.equal(unasked.status, 403, 'who has no authority cannot pair, even with the right code');

    for (const [i, home] of cluster.agentHomes.entries()) {
      const response = await cluster.post(PAIRING_PATH, { node: `node-${i + 1}`, code: shownCode(home) });
      assert.equal(response.status, 200, await response.text());
    }
    await cluster.untilServing();
    assert.deepEqual(await cluster.generate(prompt), answer);
    const log = readFileSync(join(cluster.controllerHome, 'nodes.json'), 'utf8');
    assert.equal(JSON.parse(log).length, 2);
  } finally {
    await cluster.down();
  }
});

test('a node that is unpaired is out at once, and its old key opens nothing', async () => {
  const cluster = await TestCluster.up({ nodes: 2 });
  try {
    const [ours = '', theirs = ''] = cluster.agentHomes;
    const [staysAt = 0, goesAt = 0] = cluster.agents.map(({ port }) => port);
    const running = cluster.generate(prompt, { stopIds: [], maxTokens: 4_000 }).catch(() => 'it ended');
    await until(() => (cluster.controller.status().requests[0]?.tokens ?? 0) > 3, 'tokens');
    const response = await cluster.post(UNPAIRING_PATH, { node: 'node-2' });
    assert.equal(response.status, 200, await response.text());
    assert.deepEqual(
      cluster.controller.status().nodes.map(({ name }) => name),
      ['node-1'],
    );
    await until(() => {
      const { stages, state } = cluster.controller.status();
      return state === 'serving' && stages.length === 1;
    }, 'a plan without it');
    assert.deepEqual(await cluster.generate(prompt), answer);

    const goneIdentity = await loadIdentity(theirs, 'agent');
    for (const path of ['/control', '/pair'])
      assert.match(await sayHello(staysAt, goneIdentity, path), /paired_elsewhere/);
    const controller = await loadIdentity(cluster.controllerHome, 'controller');
    assert.match(await sayHello(goesAt, controller, '/control'), /not_paired/);

    // it is one that waits like any other, until it is let in again
    await until(
      async () => (await report(cluster)).waiting.some(({ name }) => name === 'node-2'),
      'it waits',
    );
    const stages = cluster.controller.status().stages.length;
    assert.equal(stages, 1);
    const again = await cluster.post(PAIRING_PATH, { node: 'node-2', code: shownCode(theirs) });
    assert.equal(again.status, 200, await again.text());
    await until(() => cluster.controller.status().nodes.length === 2, 'both nodes');
    assert.equal(shownCode(ours), undefined);
    void running;
  } finally {
    await cluster.down();
  }
});
