// `espalier up` as a process: what it remembers, that controller and agent of one home come up together and pair, and that they
// go together.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { fetchStatus } from '../../../dashboard/client.ts';
import { holderOf, isAlive } from '../../../protocol/home-lock.ts';
import { tempHome } from '../../support/temp-home.ts';
import { CLI, environment, run } from './run.ts';

const PATIENCE_MS = 40_000;

describe('what a home is', () => {
  const home = tempHome();
  const env = { ESPALIER_HOME: home };

  test('nothing at first, which is an error that tells what to type', async () => {
    const { code, stderr } = await run(['up'], { env });
    assert.equal(code, 2);
    assert.match(stderr, /is nothing yet: .*`espalier up agent`/);
    assert.match((await run(['up', '--show'], { env })).stdout, /is nothing yet/);
  });

  test('a wrong option of the role is told now, and not remembered', async () => {
    const { code, stderr } = await run(['up', 'agent', '--prot', '1'], { env });
    assert.equal(code, 2);
    assert.match(stderr, /Did you mean --port/);
    assert.equal((await run(['up', '--show', '--json'], { env })).stdout, '{}');
  });

  test('shown, forgotten, damaged', async () => {
    const file = join(home, 'up.json');
    mkdirSync(home, { recursive: true, mode: 0o700 });
    writeFileSync(file, JSON.stringify({ agent: ['--name', 'studio-2'], controller: [] }), { mode: 0o600 });
    const shown = await run(['up', '--show'], { env });
    assert.match(shown.stdout, /controller +\(no options\)\nagent +--name studio-2/);
    assert.equal((await run(['up', '--drop', 'agent'], { env })).code, 0);
    assert.deepEqual(JSON.parse(readFileSync(file, 'utf8')), { controller: [] });
    assert.equal((await run(['up', '--drop', 'cook'], { env })).code, 2);
    writeFileSync(file, '{"agent": 7}', { mode: 0o600 });
    const damaged = await run(['up'], { env });
    assert.equal(damaged.code, 1);
    assert.match(damaged.stderr, /up\.json is damaged/);
  });
});

describe('a home that is both', () => {
  const home = tempHome();
  const running = new Set<ChildProcess>();
  after(() => {
    for (const child of running) child.kill('SIGKILL');
  });

  function up(...args: string[]): {
    child: ChildProcess;
    text: () => string;
    says(pattern: RegExp): Promise<RegExpExecArray>;
  } {
    const child = spawn(process.execPath, [CLI, 'up', ...args], {
      env: { ...environment(), ESPALIER_HOME: home },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    running.add(child);
    let text = '';
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (text += chunk));
    const says = async (pattern: RegExp) => {
      const deadline = Date.now() + PATIENCE_MS;
      for (;;) {
        const match = pattern.exec(text);
        if (match) return match;
        if (Date.now() > deadline || child.exitCode !== null) assert.fail(`${pattern} did not come: ${text}`);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    };
    return { child, text: () => text, says };
  }

  test('comes up together, pairs by itself, and ends together', async () => {
    const loopback = ['--host', '127.0.0.1', '--interface', '127.0.0.1', '--port', '0'];
    const first = up('controller', ...loopback);
    await first.says(/controller at http/);
    first.child.kill('SIGTERM');
    assert.deepEqual(await once(first.child, 'exit'), [0, null]);
    const both = up('agent', ...loopback);
    await both.says(/logs in/);
    const [, url = ''] = await both.says(/controller at (\S+), its web view/);
    const deadline = Date.now() + PATIENCE_MS;
    while ((await fetchStatus(url)).nodes.length === 0) {
      assert.ok(Date.now() < deadline, `nobody was paired: ${both.text()}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    assert.ok(!both.text().includes('its code is'), both.text());
    // one that ends by itself takes the other with it, so that a service manager starts both again
    const pids = [holderOf(home, 'agent') ?? 0, holderOf(home, 'controller') ?? 0];
    assert.ok(pids.every((pid) => pid > 0));
    process.kill(pids[0] as number, 'SIGKILL');
    const [code] = await once(both.child, 'exit');
    assert.equal(code, 1);
    assert.match(both.text(), /agent ended by SIGKILL/);
    assert.ok(pids.every((pid) => !isAlive(pid)));
  });
});
