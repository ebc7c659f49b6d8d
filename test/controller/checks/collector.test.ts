import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CheckCollector } from '../../../controller/checks/collector.ts';
import type { NodeCheck } from '../../../protocol/doctor.ts';

function check(name: string, at = Date.now()): NodeCheck {
  const versions = { espalierVersion: '0.1.0', nodeVersion: '26.0.0', protocol: 5 };
  return { id: name, name, at, ...versions, os: null, findings: [], rdma: [] };
}

test('all nodes are asked once, however many want to know', async () => {
  const asked: string[] = [];
  const collector = new CheckCollector((id) => asked.push(id));
  const first = collector.collect(['a', 'b']);
  const second = collector.collect(['a', 'b']);
  collector.receive('a', check('a', Date.now() + 60_000));
  collector.receive('stranger', check('stranger'));
  collector.receive('b', check('b'));
  const told = await first;
  assert.equal(await second, told);
  assert.deepEqual(asked, ['a', 'b']);
  assert.deepEqual([...told.keys()], ['a', 'b']);
  const ahead = told.get('a')?.clockAheadMs ?? 0;
  assert.ok(ahead > 59_000 && ahead <= 60_000, `${ahead}`);
});

test('a node that hangs, one that goes, one whose answer cannot be read: the others count', async () => {
  const collector = new CheckCollector(() => undefined, 50);
  const asking = collector.collect(['hangs', 'goes', 'babbles', 'answers']);
  collector.forget('goes');
  collector.receive('babbles', null);
  collector.receive('answers', check('answers'));
  assert.deepEqual([...(await asking).keys()], ['answers']);
});

test('no nodes, no waiting', async () => {
  const collector = new CheckCollector(() => undefined);
  assert.equal((await collector.collect([])).size, 0);
});
