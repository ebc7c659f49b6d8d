import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ColumnName, chooseColumns, MARK_WIDTH, shareLines } from '../../dashboard/layout.ts';

const widthOf = (columns: Partial<Record<ColumnName, number>>): number =>
  Object.values(columns).reduce((sum, width) => sum + width + 1, MARK_WIDTH - 1);

test('the table never is wider than the terminal, and wider terminals never show less', () => {
  let before = 0;
  for (let width = 10; width <= 300; width += 1) {
    const columns = chooseColumns(width);
    const used = widthOf(columns);
    assert.ok(used <= width || used <= MARK_WIDTH, `${used} of ${width}`);
    assert.ok(used >= before, `${used} at ${width}, ${before} at ${width - 1}`);
    before = used;
  }
});

test('60 columns hold all that one must see of a node', () => {
  assert.deepEqual(Object.keys(chooseColumns(60)).sort(), [
    'busy',
    'history',
    'layers',
    'memory',
    'name',
    'rate',
    'step',
  ]);
});

test('80 columns part the memory into weights and resident memory, wide ones show everything', () => {
  const eighty = chooseColumns(80);
  assert.equal(eighty.memory, undefined);
  assert.ok(eighty.weights && eighty.resident);
  const wide = chooseColumns(200);
  assert.ok(wide.chip && wide.pid && wide.hop && wide.kv && wide.decodeRate);
  assert.equal(wide.history, 30);
});

/** All lines that a screen takes, with what shareLines takes for granted. */
function linesUsed(rows: number, columns: number, nodes: number, requests: number, notices: number): number {
  const lines = shareLines(
    { rows, columns },
    { noticeLines: notices, nodeCount: nodes, requestCount: requests },
  );
  const below = lines.sideBySide
    ? 1 + Math.max(lines.requests, lines.events)
    : 2 + lines.requests + lines.events + (lines.spaced ? 1 : 0);
  return 4 + notices + lines.nodes + below + (lines.spaced ? 2 : 0);
}

test('the lines of all parts add up to the screen, at every size', () => {
  for (const columns of [60, 120]) {
    for (let rows = 12; rows <= 60; rows += 1) {
      for (const nodes of [0, 1, 6, 64]) {
        for (const requests of [0, 3, 256]) {
          for (const notices of [0, 3]) {
            assert.equal(linesUsed(rows, columns, nodes, requests, notices), rows);
          }
        }
      }
    }
  }
});

test('60 x 16 has one line for each of six nodes, and room for requests and events', () => {
  const lines = shareLines({ rows: 16, columns: 60 }, { noticeLines: 0, nodeCount: 6, requestCount: 3 });
  assert.deepEqual(lines, { spaced: false, nodes: 6, requests: 2, events: 2, sideBySide: false });
});

test('many requests do not push out the events', () => {
  const lines = shareLines({ rows: 40, columns: 80 }, { noticeLines: 0, nodeCount: 3, requestCount: 256 });
  assert.ok(lines.events >= 10 && lines.requests >= 10);
});
