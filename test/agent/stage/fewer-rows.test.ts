// A step frame with some of its rows: each keeps its own part of the hidden state.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withRows } from '../../../agent/stage/fewer-rows.ts';
import type { StepFrame } from '../../../agent/stage/frame.ts';

const frame: StepFrame = {
  kind: 'step',
  epoch: 1,
  step: 2,
  ops: [{ op: 'drop', session: 5 }],
  rows: [
    { session: 1, position: 9, count: 1, sample: true },
    { session: 2, position: 0, count: 3, sample: false },
    { session: 1, position: 10, count: 1, sample: true, guess: 4 },
  ],
  hidden: { dtype: 'F32', width: 1, bytes: Buffer.from('aaaabbbbBBBBbbbbcccc') },
};

test('rows that stay keep their bytes, in order', () => {
  const [first, second, third] = frame.rows as [
    StepFrame['rows'][0],
    StepFrame['rows'][0],
    StepFrame['rows'][0],
  ];
  const bytesOf = (...rows: StepFrame['rows']) => withRows(frame, rows).hidden?.bytes.toString();
  assert.equal(bytesOf(first, third), 'aaaacccc');
  assert.equal(bytesOf(second), 'bbbbBBBBbbbb');
  assert.equal(withRows(frame, frame.rows), frame);
});

test('without rows there is no hidden state, and the operations stay', () => {
  const { rows, hidden, ops } = withRows(frame, []);
  assert.deepEqual([rows, hidden, ops], [[], undefined, frame.ops]);
});
