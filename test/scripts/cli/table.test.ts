import assert from 'node:assert/strict';
import { test } from 'node:test';
import { table } from '../../../scripts/cli/table.ts';

test('columns are as wide as their widest cell; numbers go to the right', () => {
  const text = table(
    [
      ['node', 'tok/s', 'state'],
      ['büro', '8.1', 'linked'],
      ['studio-10', '–', 'lost'],
    ],
    { right: [1] },
  );
  assert.equal(
    text,
    ['node       tok/s  state', 'büro         8.1  linked', 'studio-10      –  lost'].join('\n'),
  );
});

test('rows may be short, and a table empty', () => {
  assert.equal(table([['a', 'b'], ['long']]), 'a     b\nlong');
  assert.equal(table([]), '');
});
