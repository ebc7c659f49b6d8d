import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bar, sparkline } from '../../dashboard/graph.ts';

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
