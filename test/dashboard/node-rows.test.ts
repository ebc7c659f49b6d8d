import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nodeRows } from '../../dashboard/node-rows.ts';
import { sampleLost, sampleNode, sampleStage, sampleStatus } from './sample.ts';

test('stages come in the order of the pipeline, whatever order they arrive in', () => {
  const rows = nodeRows(sampleStatus({ stages: [sampleStage(2), sampleStage(0), sampleStage(1)] }));
  assert.deepEqual(
    rows.map((row) => row.name),
    ['studio-1', 'studio-2', 'studio-3'],
  );
  assert.ok(rows.every((row) => row.state === 'linked' && row.node?.name === row.name));
});

test('a stage on a lost node is lost, whatever it said last; other nodes follow', () => {
  assert.deepEqual(
    nodeRows(sampleLost()).map((row) => [row.name, row.state]),
    [
      ['studio-1', 'linked'],
      ['studio-2', 'lost'],
      ['studio-3', 'failed'],
      ['studio-4', 'spare'],
    ],
  );
});

test('nodes without a stage are sorted by name, the lost ones last', () => {
  const nodes = [
    sampleNode(0, { name: 'zoe', state: 'lost' }),
    sampleNode(1, { name: 'beta' }),
    sampleNode(2, { name: 'alpha' }),
  ];
  assert.deepEqual(
    nodeRows(sampleStatus({ nodes, stages: [] })).map((row) => [row.name, row.state]),
    [
      ['alpha', 'spare'],
      ['beta', 'spare'],
      ['zoe', 'lost'],
    ],
  );
});

test('a stage whose node is not listed is lost, and two stages of one node have rows of their own', () => {
  const rows = nodeRows(
    sampleStatus({
      nodes: [sampleNode(0)],
      stages: [sampleStage(0), sampleStage(1, { nodeId: 'node-id-0' }), sampleStage(2)],
    }),
  );
  assert.deepEqual(
    rows.map((row) => row.state),
    ['linked', 'linked', 'lost'],
  );
  assert.equal(new Set(rows.map((row) => row.key)).size, 3);
});
