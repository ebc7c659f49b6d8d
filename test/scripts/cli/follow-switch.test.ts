// A switch that is followed, over a controller that only says what is deployed.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { DEPLOYMENT_PATH, type DeploymentReport } from '../../../protocol/models.ts';
import { followSwitch } from '../../../scripts/cli/models/follow-switch.ts';
import { sampleStatus } from '../../dashboard/sample.ts';

test('another model that was deployed in the meantime ends it', async (t) => {
  const looks: DeploymentReport[] = [
    { model: 'a/old', switchingTo: 'a/new', failure: null },
    { model: 'a/third', switchingTo: null, failure: null },
  ];
  const server = createServer(({ url }, response) => {
    const deployment = looks.length > 1 && url === DEPLOYMENT_PATH ? looks.shift() : looks[0];
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(url === DEPLOYMENT_PATH ? deployment : sampleStatus()));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const waits: string[] = [];
  await assert.rejects(
    followSwitch(`http://127.0.0.1:${port}`, 'a/new', (text) => waits.push(text), AbortSignal.timeout(5_000)),
    /a\/third is deployed instead of a\/new/,
  );
  assert.deepEqual(waits, ['preparing a/new']);
});
