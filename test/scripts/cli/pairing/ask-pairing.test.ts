// Which of the nodes that wait is meant, before anybody is asked for a code.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { findWaiting } from '../../../../scripts/cli/pairing/ask-pairing.ts';

test('two nodes of one name: neither is taken, unless it is called by its id', async () => {
  const node = (id: string, name: string) => ({ id, name, address: '10.0.0.1:7118', showsCode: true });
  const waiting = [node('aaaaaaaaaaaaaaaa', 'mac'), node('bbbbbbbbbbbbbbbb', 'mac'), node('c', 'attic')];
  const server = createServer((_request, response) => {
    response.setHeader('content-type', 'application/json').end(JSON.stringify({ waiting, paired: [] }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  try {
    assert.equal(await findWaiting(url, 'mac', 0), undefined);
    assert.equal((await findWaiting(url, 'bbbbbbbbbbbbbbbb', 0))?.id, 'bbbbbbbbbbbbbbbb');
    assert.equal((await findWaiting(url, 'attic', 0))?.id, 'c');
    assert.equal(await findWaiting(url, 'nobody', 0), undefined);
  } finally {
    server.close();
    server.closeAllConnections();
  }
});
