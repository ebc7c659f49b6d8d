// One set-up at a time: real processes that want the same lock, and locks that a crash has left.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { holderOf, withLock } from '../../../scripts/setup/lock.mjs';

const folder = mkdtempSync(join(tmpdir(), 'espalier lock '));
after(() => rmSync(folder, { recursive: true }));

/** Takes the lock `times` times; each time it writes "in" and "out" to the journal. */
const CONTENDER = `
  import { appendFileSync } from 'node:fs';
  import { setTimeout as sleep } from 'node:timers/promises';
  const [lockModule, lock, journal, times] = process.argv.slice(1);
  const { withLock } = await import(lockModule);
  for (let i = 0; i < Number(times); i += 1) {
    await withLock(lock, async () => {
      appendFileSync(journal, 'in ' + process.pid + '\\n');
      await sleep(5);
      appendFileSync(journal, 'out ' + process.pid + '\\n');
    });
  }
`;
const LOCK_MODULE = fileURLToPath(new URL('../../../scripts/setup/lock.mjs', import.meta.url));

function contend(lock: string, journal: string, times: number) {
  const args = ['--input-type=module', '-e', CONTENDER, LOCK_MODULE, lock, journal, String(times)];
  return spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] });
}

/** The number of a process that has ended. */
function deadPid(): number {
  return spawnSync(process.execPath, ['-e', '']).pid;
}

test('processes that want the lock get it one after the other', async () => {
  const lock = join(folder, 'contended/lock');
  const journal = join(folder, 'journal');
  const contenders = Array.from({ length: 4 }, () => contend(lock, journal, 5));
  const codes = await Promise.all(contenders.map((child) => once(child, 'exit')));
  assert.deepEqual(
    codes.map(([code]) => code),
    [0, 0, 0, 0],
  );
  const lines = readFileSync(journal, 'utf8').trimEnd().split('\n');
  assert.equal(lines.length, 40);
  for (let i = 0; i < lines.length; i += 2) {
    const pid = lines[i]?.split(' ')[1];
    assert.deepEqual(lines.slice(i, i + 2), [`in ${pid}`, `out ${pid}`]);
  }
  assert.equal(existsSync(lock), false);
});

test('a lock whose holder is gone is taken over, by one of several at a time', async () => {
  const lock = join(folder, 'stale');
  const journal = join(folder, 'stale-journal');
  writeFileSync(lock, `${deadPid()}\n`);
  const contenders = Array.from({ length: 3 }, () => contend(lock, journal, 3));
  await Promise.all(contenders.map((child) => once(child, 'exit')));
  const lines = readFileSync(journal, 'utf8').trimEnd().split('\n');
  assert.equal(lines.length, 18);
  for (let i = 0; i < lines.length; i += 2) assert.equal(lines[i]?.replace('in', 'out'), lines[i + 1]);
});

test('our own number in a lock is that of an earlier life', async () => {
  const lock = join(folder, 'own');
  writeFileSync(lock, `${process.pid}\n`);
  assert.equal(await withLock(lock, async () => 'done'), 'done');
});

test('the lock names its holder, and goes when the work fails', async () => {
  const lock = join(folder, 'failing');
  await assert.rejects(
    withLock(lock, async () => {
      assert.equal(holderOf(lock), process.pid);
      throw new Error('the work failed');
    }),
    /the work failed/,
  );
  assert.equal(existsSync(lock), false);
});

test('a holder that does not finish is named, with the way out', async () => {
  const lock = join(folder, 'held');
  writeFileSync(lock, `${process.ppid}\n`);
  await assert.rejects(
    withLock(lock, async () => undefined, 0),
    (error: Error & { fix?: string }) =>
      error.message.includes(String(process.ppid)) && error.fix?.includes(lock) === true,
  );
});
