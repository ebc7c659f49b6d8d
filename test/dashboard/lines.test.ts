import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { printOnce, runLines, statusLine } from '../../dashboard/lines.ts';
import { ClusterStatus } from '../../protocol/status.ts';
import { SAMPLE_TIME, sampleLost, sampleStatus } from './sample.ts';
import { type StatusServer, startStatusServer } from './status-server.ts';

const servers: StatusServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

async function serve(body: () => string): Promise<StatusServer> {
  const server = await startStatusServer(body);
  servers.push(server);
  return server;
}

test('a line holds state, speed, requests and every node', () => {
  const line = statusLine(sampleStatus());
  assert.match(line, /^\d\d:\d\d:\d\d serving \| /);
  assert.equal(
    line.slice(9),
    'serving | 14.2 tok/s, 11.3 last minute | first token 840 ms | 2 running, 1 waiting | ' +
      'studio-1 0–9 12.3 tok/s 38.4 ms | studio-2 10–19 13.3 tok/s 39.4 ms | studio-3 20–29 14.3 tok/s 40.4 ms',
  );
});

test('a line says why the cluster does not serve and what each node has', () => {
  const line = statusLine(sampleLost());
  assert.match(line, /degraded \(studio-2 was lost; the other nodes lack 41 GiB to hold the model\)/);
  assert.match(line, /\| studio-2 10–19 lost \| studio-3 20–29 failed \| studio-4 no stage$/);
});

test('a line stays one line whatever the nodes are called', () => {
  const line = statusLine(sampleStatus({ state: 'degraded', reason: 'a\nb\u001b[31m' }));
  assert.ok(!line.includes('\n') && !line.includes('\u001b'));
});

test('once prints one line or one object', async () => {
  const { url } = await serve(() => JSON.stringify(sampleStatus()));
  const printed: string[] = [];
  const print = (line: string) => void printed.push(line);
  await printOnce({ controllerUrl: url, json: false, print });
  const status = await printOnce({ controllerUrl: url, json: true, print });
  assert.equal(printed[0], statusLine(sampleStatus()));
  assert.deepEqual(ClusterStatus.parse(JSON.parse(printed[1] ?? '')), status);
});

test('it prints a line per interval, says that the controller is gone, and ends with the signal', async () => {
  let at = SAMPLE_TIME;
  const server = await serve(() => JSON.stringify(sampleStatus({ at: at++ })));
  const ending = new AbortController();
  const printed: string[] = [];
  const complaints: string[] = [];
  const running = runLines({
    controllerUrl: server.url,
    json: false,
    intervalMs: 20,
    signal: ending.signal,
    complain: (line) => complaints.push(line),
    print(line) {
      printed.push(line);
      if (printed.length === 1) void server.close();
      if (line.includes('no controller')) ending.abort();
    },
  });
  await running;
  assert.match(printed[0] ?? '', / serving /);
  assert.match(printed.at(-1) ?? '', new RegExp(`no controller at ${server.url}: `));
  assert.deepEqual(complaints, []);
});

test('between JSON objects there is nothing else: complaints go elsewhere, each once', async () => {
  const server = await serve(() => JSON.stringify(sampleStatus()));
  const { url } = server;
  await server.close();
  const ending = new AbortController();
  const printed: string[] = [];
  const complaints: string[] = [];
  await runLines({
    controllerUrl: url,
    json: true,
    intervalMs: 10,
    signal: ending.signal,
    print: (line) => printed.push(line),
    complain(line) {
      complaints.push(line);
      setTimeout(() => ending.abort(), 100);
    },
  });
  assert.deepEqual(printed, []);
  assert.deepEqual(complaints, [`no controller at ${url}: connection refused`]);
});
