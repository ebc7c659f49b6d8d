// What surrounds the installation: what is trusted of an earlier one, and how a failed one explains itself. The installation
// itself is what CI makes its real ranks of (test/support/mlx.ts).
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { execa } from 'execa';
import {
  engineState,
  explained,
  findEnvironment,
  requireEnvironment,
} from '../../../agent/mlx-distributed/environment.ts';
import { InstallLock } from '../../../agent/mlx-distributed/install-lock.ts';
import { endLeftover } from '../../../agent/mlx-distributed/orphans.ts';
import { isAlive } from '../../../protocol/home-lock.ts';
import { until } from '../../support/until.ts';

const dir = mkdtempSync(join(tmpdir(), 'espalier-engines-'));
after(() => rmSync(dir, { recursive: true, force: true }));

test('an environment without its marker, or with one of other pins, is none', async () => {
  assert.deepEqual(await engineState(dir), { state: 'missing' });
  await assert.rejects(requireEnvironment(dir, 'studio-2'), /studio-2 has no environment/);
  const folder = join(dir, 'mlx-distributed');
  mkdirSync(join(folder, 'python', 'bin'), { recursive: true });
  writeFileSync(join(folder, 'python', 'bin', 'python'), '');
  assert.equal(await findEnvironment(dir), undefined);
  for (const text of ['', '{', 'null', '{"requirements":"other","versions":{}}']) {
    writeFileSync(join(folder, 'installed.json'), text);
    assert.equal(await findEnvironment(dir), undefined, text);
  }
});

test('each way to fail names its fix', () => {
  const codes: [string, string, RegExp][] = [
    [
      'The virtual environment was not created because ensurepip is not available.',
      'python_missing',
      /no venv/,
    ],
    ['/usr/bin/python3: No module named venv', 'python_missing', /no venv/],
    ['ERROR: [Errno 28] No space left on device', 'engine_install_failed', /disk is full/],
    [
      '<urllib3.NewConnectionError object at 0x7>: [Errno 101] Network is unreachable',
      'engine_install_failed',
      /cannot be reached/,
    ],
    [
      'ERROR: No matching distribution found for mlx==0.32.4',
      'engine_install_failed',
      /no package for this machine/,
    ],
    ['something else', 'engine_install_failed', /something else/],
  ];
  for (const [output, code, message] of codes) {
    const error = explained(output);
    assert.equal(error.code, code);
    assert.match(error.message, message);
  }
});

test('one process installs at a time, and the lock of a dead one does not count', async () => {
  const path = join(dir, 'install.lock');
  const said: string[] = [];
  const lock = await InstallLock.take(path, () => undefined);
  let isTaken = false;
  const second = InstallLock.take(path, (line) => said.push(line)).then((taken) => {
    isTaken = true;
    return taken;
  });
  await until(() => said.length === 1);
  assert.equal(isTaken, false);
  await lock[Symbol.asyncDispose]();
  await (await second)[Symbol.asyncDispose]();
  // no process has this number: the highest on Linux is 2 ** 22
  writeFileSync(path, String(2 ** 22 + 1));
  await (await InstallLock.take(path, () => undefined))[Symbol.asyncDispose]();
});

test('what a killed installation left running is ended, and nothing else that has its number by now', async () => {
  const folder = join(dir, 'a folder of ours');
  const note = join(dir, 'install.pid');
  const child = execa(process.execPath, ['-e', 'setTimeout(() => {}, 60_000)', folder], { reject: false });
  writeFileSync(note, String(child.pid));
  endLeftover(note, join(dir, 'another folder'));
  assert.equal(isAlive(child.pid as number), true);
  endLeftover(note, folder);
  assert.equal((await child).signal, 'SIGKILL');
  endLeftover(join(dir, 'no note'), folder);
});
