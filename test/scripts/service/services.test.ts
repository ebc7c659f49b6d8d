// A service in the background from its installation to its end, by the command line. By systemd: systemd.test.ts.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { isAlive } from '../../../protocol/home-lock.ts';
import { tempHome } from '../../support/temp-home.ts';
import { until } from '../../support/until.ts';
import { run } from '../cli/run.ts';

const home = tempHome();
const env = { ESPALIER_HOME: home };
const service = (...args: string[]) => run(['service', ...args], { env });
const ARGS = ['--', '--name', 'served', '--host', '127.0.0.1', '--interface', '127.0.0.1', '--port', '0'];

interface State {
  name: string;
  how: string | null;
  pid: number | null;
  args: string[];
}

async function agentState(): Promise<State> {
  const [agent] = JSON.parse((await service('status', '--json')).stdout) as [State];
  return agent;
}

describe('an agent in the background', () => {
  after(async () => {
    await service('uninstall', 'agent', '--yes');
  });

  test('is installed, upgraded with the options of the last time, and started again after kill -9', async () => {
    const installed = await service('install', 'agent', '--how', 'background', ...ARGS);
    assert.deepEqual([installed.code, installed.stdout], [0, 'espalier agent runs in the background.']);
    const first = await agentState();
    assert.equal(first.how, 'background');
    assert.ok(first.pid !== null && isAlive(first.pid));
    await until(async () => /agent served is up/.test((await service('logs', 'agent')).stdout));

    await service('install', 'agent', '--how', 'background');
    const second = await agentState();
    assert.notEqual(second.pid, first.pid);
    assert.ok(!isAlive(first.pid));
    assert.deepEqual(second.args, ARGS.slice(1));

    process.kill(second.pid ?? 0, 'SIGKILL');
    await until(() => !isAlive(second.pid ?? 0));
    assert.equal((await agentState()).pid, null);
    assert.equal((await service('install', 'agent', '--how', 'background')).code, 0);
    assert.ok((await agentState()).pid !== null);
  });

  test('is uninstalled: it ends, and its key stays', async () => {
    const { pid } = await agentState();
    const { code, stdout } = await service('uninstall', 'agent');
    assert.deepEqual([code, stdout], [0, 'espalier agent is no service any more.']);
    assert.ok(!isAlive(pid ?? 0));
    assert.ok(existsSync(join(home, 'agent.pem')));
    assert.ok(!existsSync(join(home, 'services.json')));
    assert.match((await service('uninstall', 'agent')).stdout, /was no service here/);
  });
});

test('options that the agent does not take: it says so, and is no service', async () => {
  const { code, stderr } = await service('install', 'agent', '--how', 'background', '--', '--port', 'many');
  assert.equal(code, 1);
  assert.match(stderr, /espalier agent did not start: .*--port.*a whole number from 0 to 65535/s);
  assert.equal((await agentState()).how, null);
});

test('a system that this machine does not run is refused before anything is changed', async () => {
  const other = process.platform === 'darwin' ? 'systemd' : 'launchd';
  const { code, stderr } = await service('install', 'agent', '--how', other, '--yes');
  assert.equal(code, 2);
  assert.match(stderr, new RegExp(`--how ${other}: this machine does not run it`));
});
