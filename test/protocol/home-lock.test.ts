// One process a home and role: who is alive keeps it, who is gone does not, and of many that come at once one gets it.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { holderOf, lockHome } from '../../protocol/home-lock.ts';
import { tempHome } from '../support/temp-home.ts';

const LOCK = new URL('../../protocol/home-lock.js', import.meta.url).href;
/** Takes a home when it is told to, says how that went, and stays. */
const SCRIPT = `
  const { lockHome } = await import(${JSON.stringify(LOCK)});
  console.log('ready');
  process.stdin.once('data', () => {
    try { lockHome(process.argv[1], 'agent'); console.log('mine'); } catch (error) { console.log(error.code); }
  });`;

async function starter(home: string) {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', SCRIPT, home], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  assert.equal((await lines.next()).value, 'ready');
  const take = async (): Promise<string> => {
    child.stdin.write('now\n');
    return (await lines.next()).value ?? 'gone';
  };
  const end = async () => {
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  };
  return { child, take, end };
}

test('of several that find a home left behind, one gets it; when that is killed, the next one does', async () => {
  const home = tempHome();
  const gone = await starter(home);
  assert.equal(await gone.take(), 'mine');
  await gone.end();
  const starters = await Promise.all(Array.from({ length: 6 }, () => starter(home)));
  try {
    const said = await Promise.all(starters.map(({ take }) => take()));
    assert.deepEqual(
      said.filter((word) => word !== 'home_in_use'),
      ['mine'],
    );
    const winner = starters[said.indexOf('mine')] ?? assert.fail();
    assert.equal(holderOf(home, 'agent'), winner.child.pid);
    assert.throws(() => lockHome(home, 'agent'), { code: 'home_in_use', message: /runs as process \d+/ });
    await winner.end();
    lockHome(home, 'agent');
    assert.equal(holderOf(home, 'agent'), process.pid);
  } finally {
    await Promise.all(
      starters.map(({ child, end }) => ((child.exitCode ?? child.signalCode) ? undefined : end())),
    );
  }
});

test('a number that another program has by now is nobody', () => {
  const home = tempHome();
  const path = join(home, 'agent.pid');
  mkdirSync(home);
  writeFileSync(path, `${process.ppid}\nin another life\n`);
  assert.equal(holderOf(home, 'agent'), undefined);
  lockHome(home, 'agent');
  assert.equal(holderOf(home, 'agent'), process.pid);
  assert.equal(Number(readFileSync(path, 'utf8').split('\n')[0]), process.pid);
});

test('a process of which the system does not say when it began is taken to be the one', () => {
  const home = tempHome();
  mkdirSync(home);
  writeFileSync(join(home, 'agent.pid'), `${process.ppid}\n`);
  assert.equal(holderOf(home, 'agent'), process.ppid);
  assert.throws(() => lockHome(home, 'agent'), { code: 'home_in_use' });
});

test('whoever was killed while it took a home over holds up nobody; who still does so is not disturbed', () => {
  const home = tempHome();
  mkdirSync(home);
  writeFileSync(join(home, 'agent.pid'), `${process.ppid}\nin another life\n`);
  const mark = join(home, 'agent.pid.takeover');
  // of a process that runs, as far as anybody can tell
  writeFileSync(mark, `${process.ppid}\n\n`);
  assert.throws(() => lockHome(home, 'agent'), {
    code: 'home_in_use',
    message: /another process that is starting/,
  });
  writeFileSync(mark, `${process.ppid}\nin another life\n`);
  lockHome(home, 'agent');
  assert.equal(holderOf(home, 'agent'), process.pid);
});
