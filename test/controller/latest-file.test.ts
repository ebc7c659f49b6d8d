// The last text wins, in a real folder.
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { LatestFile } from '../../controller/latest-file.ts';
import { createLog } from '../../protocol/log.ts';

const log = createLog('test');
log.level = 'silent';

test('what is out of date before its turn is not written; the last text is there in the end', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'espalier-test-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const file = new LatestFile(join(folder, 'f'), log);
  assert.equal(await file.read(String, 'nothing'), undefined);
  const asked: number[] = [];
  for (let i = 0; i < 50; i++) {
    void file.write(() => {
      asked.push(i);
      return `text ${i}`;
    });
  }
  await file.idle();
  assert.deepEqual(asked, [49]);
  await file.write(() => 'more');
  assert.equal(await readFile(file.path, 'utf8'), 'more');
  assert.equal(await file.read(String, 'nothing'), 'more');

  await mkdir(`${file.path}.new`);
  await file.write(() => 'cannot be written');
  await rm(`${file.path}.new`, { recursive: true });
  await file.write(() => 'and again');
  assert.equal(await file.read(String, 'nothing'), 'and again');
});
