import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chooseColumns, shareLines, tableWidth } from '../../dashboard/layout.ts';

test('the table is never wider than the terminal, and more room never takes a column away', () => {
  let before = chooseColumns(0);
  for (let width = 1; width <= 250; width++) {
    const columns = chooseColumns(width);
    if (Object.keys(columns).length > 0) assert.ok(tableWidth(columns) <= width, `${width}`);
    for (const name of Object.keys(before)) assert.ok(name in columns, `${name} at ${width}`);
    before = columns;
  }
});

test('60 columns have a name, layers, rate, step, busy share, memory and a history', () => {
  assert.deepEqual(Object.keys(chooseColumns(60)).sort(), [
    ...['busy', 'history', 'layers', 'memory', 'name', 'rate', 'step'],
  ]);
  for (const column of ['gpu', 'power', 'heat', 'chip', 'idle', 'hop'] as const)
    assert.ok(column in chooseColumns(200), column);
});

test('all parts together never take more lines than there are', () => {
  for (let rows = 12; rows <= 60; rows++)
    for (const columns of [60, 80, 120, 200])
      for (const nodeCount of [0, 1, 3, 6, 64])
        for (const requestCount of [0, 3, 1_000]) {
          const parts = { headLines: 4, nodeCount, requestCount, hasReason: true };
          const share = shareLines({ columns, rows }, parts);
          const lists = share.isSideBySide
            ? 1 + Math.max(share.requests, share.happened)
            : 2 + share.requests + share.happened;
          const gaps = share.isSpaced ? (share.isSideBySide ? 2 : 3) : 0;
          const chart = share.chart > 0 ? share.chart + 1 : 0;
          const all = 4 + 1 + share.nodes + 1 + chart + lists + gaps + 1;
          assert.ok(all <= rows, `${columns}x${rows}, ${nodeCount} nodes: ${all} lines`);
          assert.ok(share.nodes >= 1);
        }
});

test('hops and memory are drawn where there is room for all nodes with them', () => {
  const parts = { headLines: 2, requestCount: 3, hasReason: true };
  const density = (columns: number, rows: number, nodeCount: number) =>
    shareLines({ columns, rows }, { ...parts, nodeCount }).density;
  assert.equal(density(60, 16, 3), 1);
  assert.equal(density(80, 24, 3), 2);
  assert.equal(density(120, 40, 6), 3);
  assert.equal(density(200, 50, 64), 1);
});
