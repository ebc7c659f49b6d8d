import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Line } from '../../../controller/api/line.ts';

test('who comes first gets a session first; what nobody waits for comes after all others', () => {
  const line = new Line(2);
  const [a, b, job, c] = [line.join(false, 1), line.join(false, 2), line.join(true, 3), line.join(false, 4)];
  assert.deepEqual(
    [a, b, job, c].map((place) => place?.ahead()),
    [undefined, undefined, 1, 0],
  );
  a?.leave(10);
  assert.equal(c?.ahead(), undefined);
  assert.equal(c?.admittedAtMs, 10);
  assert.equal(job?.ahead(), 0);
  job?.leave(11);
  job?.leave(12);
  b?.leave(13);
  c?.leave(14);
  const last = line.join(true, 15);
  assert.equal(last.admittedAtMs, 15, 'nothing is left behind');
});
