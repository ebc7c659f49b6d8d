import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LineReader } from '../../../agent/mlx-distributed/lines.ts';

function read(chunks: readonly Buffer[], maxBytes = 100): string[] {
  const seen: string[] = [];
  const reader = new LineReader(
    maxBytes,
    (line) => seen.push(line),
    () => seen.push('TOO LONG'),
  );
  for (const chunk of chunks) reader.push(chunk);
  return seen;
}

test('lines come whole, however they are cut, also inside of a character', () => {
  const bytes = Buffer.from('{"a":1}\n\n{"ö":"é"}\nrest');
  for (let cut = 0; cut <= bytes.length; cut++) {
    assert.deepEqual(read([bytes.subarray(0, cut), bytes.subarray(cut)]), ['{"a":1}', '{"ö":"é"}']);
  }
  assert.deepEqual(read([...bytes].map((byte) => Buffer.from([byte]))), ['{"a":1}', '{"ö":"é"}']);
});

test('a line over the limit is told, in one piece or in many', () => {
  const long = 'x'.repeat(101);
  assert.deepEqual(read([Buffer.from(`${long}\nok\n`)]), ['TOO LONG', 'ok']);
  assert.ok(read(Array.from({ length: 30 }, () => Buffer.from('y'.repeat(10)))).includes('TOO LONG'));
  assert.deepEqual(read([Buffer.from(`${'x'.repeat(100)}\n`)]), ['x'.repeat(100)]);
});
