import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clientOf } from '../../../controller/api/client-name.ts';
import { ClusterHistory, HISTORY_PATH } from '../../../protocol/history.ts';
import { cancelPath, drainPath, OperationAnswer, undrainPath } from '../../../protocol/operations.ts';
import { type Failure, startApi } from './api-under-test.ts';

test('a node is drained and given back, a request cancelled; ids may hold anything', async (t) => {
  const api = await startApi(t);
  const ask = async (path: string, body: unknown) => {
    const response = await api.post(body, {}, path);
    return { status: response.status, body: (await response.json()) as unknown };
  };
  const told = async (path: string, body: unknown) =>
    OperationAnswer.parse((await ask(path, body)).body).text;
  assert.equal(await told(drainPath('a/b ü'), {}), 'drain a/b ü');
  assert.equal(await told(drainPath('n1'), { now: true }), 'drain n1 now');
  assert.equal(await told(undrainPath('n1'), {}), 'undrain n1');
  assert.equal(await told(cancelPath('r1'), {}), 'cancel r1');
  for (const [path, body] of [
    [drainPath('n1'), { now: 'yes' }],
    [drainPath('n1'), { noww: true }],
    [undrainPath('n1'), 'null'],
    [cancelPath('r1'), 'null'],
  ] as const) {
    const refused = await ask(path, body);
    assert.equal(refused.status, 400, path);
    assert.equal((refused.body as Failure).error.code, 'invalid_request');
  }
});

test('only POST does it, and the wrong method is told the right one', async (t) => {
  const { url } = await startApi(t);
  const response = await fetch(url + drainPath('n1'));
  assert.equal(response.status, 405);
  assert.equal(response.headers.get('allow'), 'POST');
  assert.equal((await fetch(`${url}/cluster/v1/nodes//drain`)).status, 404);
});

test('the history is one that the dashboard understands', async (t) => {
  const { url } = await startApi(t);
  const history = ClusterHistory.parse(await (await fetch(url + HISTORY_PATH)).json());
  assert.deepEqual(history.tokensPerSecond, [null, 4.5]);
});

test('a program is called as it calls itself, without its version and without anything that a terminal obeys', () => {
  for (const [agent, name] of [
    ['OpenAI/Python 1.52.0', 'OpenAI/Python'],
    ['curl/8.5.0', 'curl'],
    ['node', 'node'],
    ['Zed/v0.180 (macos)', 'Zed'],
    ['\u001b[2Jevil/1 x', '[2Jevil'],
    [' ', undefined],
    [undefined, undefined],
    ['x'.repeat(100), 'x'.repeat(32)],
  ] as const)
    assert.equal(clientOf(agent), name);
});
