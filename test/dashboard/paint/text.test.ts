import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cells, cut, fit, wrap } from '../../../dashboard/paint/text.ts';

test('cells: wide characters take two, combining marks none, our own signs one each', () => {
  for (const [text, width] of [
    ['studio', 6],
    ['工作站', 6],
    ['e\u0301', 1],
    ['👩‍💻', 2],
    ['⣿█▓░–…→↺●◐◑◔○◌▲■◆▸✗✓·│╰─', 24],
  ] as const)
    assert.equal(cells(text), width, text);
});

test('cut and fit give so many cells, also through a wide character', () => {
  assert.equal(cut('studio-1', 8), 'studio-1');
  assert.equal(cut('studio-12', 8), 'studio-…');
  assert.equal(cut('工作站', 4), '工…');
  for (let width = 1; width < 9; width++) assert.equal(cells(fit('工作站の名', width)), width);
  assert.equal(fit('7', 3, 'right'), '  7');
});

test('wrap breaks at spaces, and what has none anywhere; nothing is lost', () => {
  assert.deepEqual(wrap('give the addresses of the agents', 12), ['give the', 'addresses of', 'the agents']);
  const long = 'x'.repeat(25);
  assert.deepEqual(wrap(long, 10), ['x'.repeat(10), 'x'.repeat(10), 'xxxxx']);
  assert.equal(wrap('工'.repeat(7), 5).join(''), '工'.repeat(7));
  for (const line of wrap('工作 a工作b 站'.repeat(5), 5)) assert.ok(cells(line) <= 5);
  assert.deepEqual(wrap('a\nb', 5), ['a', 'b']);
  assert.deepEqual(wrap('one two three', 5, 2), ['one', 'two …']);
  assert.ok(wrap('工作站', 1).length < 10, 'it ends where not even one character fits');
});
