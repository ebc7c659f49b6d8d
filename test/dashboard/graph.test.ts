import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bar, chart, memoryBar, resample, sparkline } from '../../dashboard/graph.ts';

test('a history rises from the lowest dot to the full height', () => {
  assert.equal(sparkline([0, 0], 9, 1), '⣀');
  assert.equal(sparkline([3, 3], 9, 1), '⣤');
  assert.equal(sparkline([6, 6], 9, 1), '⣶');
  assert.equal(sparkline([9, 9], 9, 1), '⣿');
  assert.equal(sparkline([0, 9], 9, 1), '⣸');
});

test('the newest samples stand at the right, and older ones fall out at the left', () => {
  assert.equal(sparkline([9], 9, 3), '  ⢸');
  assert.equal(sparkline([9, 9, 0, 0, 9, 9], 9, 2), '⣀⣿');
});

test('what was not measured is empty, whatever was beside it', () => {
  assert.equal(sparkline([null, null, 9, null], 9, 2), ' ⡇');
  assert.equal(sparkline([], 9, 2), '  ');
});

test('no width and no height are no accident', () => {
  assert.equal(sparkline([1, 2, 3], 3, 0), '');
  assert.equal(sparkline([0, 0], 0, 1), '⣀');
  assert.equal(sparkline([20, -3], 9, 1), '⣇');
});

test('a bar fills with the share and stays within its width', () => {
  assert.equal(bar(0, 4), '░░░░');
  assert.equal(bar(0.5, 4), '██░░');
  assert.equal(bar(1.7, 4), '████');
  assert.equal(bar(-1, 4), '░░░░');
  assert.equal(bar(null, 4), '    ');
});

test('blocks have one sample a character and eight heights', () => {
  assert.equal(sparkline([0, 7, null, 3], 7, 4, 'block'), '▁█ ▄');
});

test('a chart of several lines shows each part of the height in its own line', () => {
  assert.deepEqual(chart([8, 8], 8, { width: 1, lines: 2 }, 'braille'), ['⣿', '⣿']);
  assert.deepEqual(chart([4, 4], 8, { width: 1, lines: 2 }, 'braille'), [' ', '⣿']);
  assert.deepEqual(chart([0, 0], 8, { width: 1, lines: 2 }, 'braille'), [' ', '⣀']);
  assert.deepEqual(chart([null, null], 8, { width: 1, lines: 2 }, 'braille'), [' ', ' ']);
});

test('many samples become means of equal parts, and what nobody measured stays unknown', () => {
  assert.deepEqual(resample([1, 3, null, null, null, 4], 3), [2, null, 4]);
  assert.deepEqual(resample([1, 2], 3), [1, 2]);
});

test('a memory bar shows weights and KV as soon as there are any, and never more than its width', () => {
  assert.equal(memoryBar({ weights: 50, kv: 25 }, 100, 8), '████▓▓░░');
  assert.equal(memoryBar({ weights: 1, kv: 1 }, 1_000_000, 4), '█▓░░');
  assert.equal(memoryBar({ weights: 300, kv: 10 }, 100, 4), '████');
  assert.equal(memoryBar({ weights: 0, kv: 0 }, 100, 4), '░░░░');
  assert.equal(memoryBar({ weights: 1, kv: 1 }, 0, 4), '    ');
});
