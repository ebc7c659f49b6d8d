import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clusterFindings } from '../../../controller/checks/cluster-findings.ts';
import type { ReceivedCheck } from '../../../controller/checks/collector.ts';
import { Finding, type NodeCheck } from '../../../protocol/doctor.ts';

const ENABLED = { id: 'enabled', state: 'yes', seen: '', remedy: null } as const;

function check(name: string, change: Partial<NodeCheck> = {}, clockAheadMs = 3): [string, ReceivedCheck] {
  const base = { id: name, name, at: 0, espalierVersion: '0.1.0', nodeVersion: '26.0.0', protocol: 5 };
  return [
    name,
    { check: { ...base, os: 'macOS 26.2 (25C56)', findings: [], rdma: [], ...change }, clockAheadMs },
  ];
}

function find(
  checks: [string, ReceivedCheck][],
  rest: Partial<Parameters<typeof clusterFindings>[0]> = {},
): Finding[] {
  const found = clusterFindings({
    nodes: checks.map(([id]) => ({ id, name: id, isConnected: true })),
    checks: new Map(checks),
    own: { espalierVersion: '0.1.0', nodeVersion: '26.0.0' },
    waiting: [],
    linkFindings: [],
    ...rest,
  });
  for (const one of found) assert.deepEqual(Finding.parse(one), one);
  return found;
}

test('two nodes alike: nothing', () => {
  assert.deepEqual(find([check('a'), check('b')]), []);
});

test('versions that differ name the nodes that are different from the controller', () => {
  const found = find([check('a'), check('b', { espalierVersion: '0.0.9', nodeVersion: '24.9.0' })]);
  assert.deepEqual(
    found.map(({ id, seen }) => [id, seen]),
    [
      ['versions-differ', 'Espalier is 0.1.0 at the controller; b 0.0.9'],
      ['node-versions-differ', 'Node.js is 26.0.0 at the controller; b 24.9.0'],
    ],
  );
});

test('builds of macOS differ: only RDMA cares', () => {
  const other = { os: 'macOS 26.2 (25C57)' };
  assert.deepEqual(find([check('a'), check('b', other)]), []);
  const both = find([check('a', { rdma: [ENABLED] }), check('b', { ...other, rdma: [ENABLED] })]);
  assert.deepEqual(
    both.map(({ id }) => id),
    ['macos-differs'],
  );
});

test('a clock that is off, either way; the travel of an answer is none', () => {
  const found = find([check('a', {}, 61_400), check('b', {}, -5_000), check('c', {}, -40)]);
  assert.deepEqual(
    found.map(({ node, seen }) => [node, seen]),
    [
      ['a', "its clock is 61.4 s ahead of the controller's"],
      ['b', "its clock is 5.0 s behind the controller's"],
    ],
  );
});

test('who does not answer, who is lost, who waits', () => {
  const nodes = [
    { id: 'a', name: 'a', isConnected: true },
    { id: 'b', name: 'b', isConnected: true },
    { id: 'c', name: 'c', isConnected: false },
  ];
  const found = find([check('a')], { nodes, waiting: ['d'] });
  assert.deepEqual(
    found.map(({ id, node }) => [id, node]),
    [
      ['not-answering', 'b'],
      ['not-answering', 'c'],
      ['not-paired', 'd'],
    ],
  );
});

test('what the links tell, the worst first, with its own severity', () => {
  const link = (id: string, severity: 'info' | 'warn' | 'error') => ({
    id,
    severity,
    text: `about ${id}`,
    fix: 'mend it',
  });
  const found = find([], {
    linkFindings: [link('wifi a b', 'warn'), link('hop-slow a b', 'info'), link('local-network a', 'error')],
  });
  assert.deepEqual(
    found.map(({ id, severity }) => `${id} ${severity}`),
    ['local-network error', 'wifi warn', 'hop-slow info'],
  );
});
