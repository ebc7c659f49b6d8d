import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Drawing, repaint } from '../../../dashboard/paint/repaint.ts';

const drawing = (columns: number, ...texts: string[]): Drawing => ({
  columns,
  lines: texts.map((text) => ({ text, width: text.length })),
});
const places = (text: string) => [...text.matchAll(/\[(\d+);1H/g)].map(([, row]) => Number(row));

test('lines that changed are written at their places, the others not at all', () => {
  const text = repaint(drawing(9, 'a', 'b', 'c'), drawing(9, 'a', 'x', 'c'));
  assert.deepEqual(places(text), [2]);
  assert.equal(repaint(drawing(9, 'a'), drawing(9, 'a')), '');
});

test('after a change of size all is written anew, and never is the screen cleared', () => {
  for (const before of [undefined, drawing(8, 'a', 'b'), drawing(9, 'a')]) {
    const text = repaint(before, drawing(9, 'a', 'b'));
    assert.deepEqual(places(text), [1, 2]);
    assert.doesNotMatch(text, /\[[0-3]?J/);
  }
});

test('what is to the right of a line is erased, unless it fills the width', () => {
  assert.ok(repaint(undefined, drawing(3, 'ab')).includes('ab\u001b[K'));
  assert.ok(!repaint(undefined, drawing(3, 'abc')).includes('\u001b[K'));
});
