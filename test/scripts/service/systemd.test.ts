// The agent as a service of a real systemd, from its installation to its end, in a box of which nothing is left: by the
// command line, as root of that machine, with a home whose path systemd must have quoted.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { projectDir } from '../../support/paths.ts';
import { type Answer, noBox, SystemdBox } from '../../support/systemd-box.ts';
import { until } from '../../support/until.ts';

const HOME = '/root/a home, 100%h $HOME';
const UNIT = 'espalier-agent.service';
const ARGS = ['--name', 'served', '--host', '127.0.0.1', '--interface', '127.0.0.1', '--port', '0'];

interface State {
  how: string | null;
  state: string;
  pid: number | null;
  args: string[];
}

describe('by systemd', { skip: await noBox() }, () => {
  let box: SystemdBox;
  before(async () => {
    box = await SystemdBox.boot();
  });
  after(() => box?.off());

  const cli = (root: string) => join(root, 'dist/scripts/cli/main.js');
  const service = (args: readonly string[], root = projectDir): Promise<Answer> =>
    box.run([process.execPath, cli(root), 'service', ...args], { ESPALIER_HOME: HOME });
  const install = (args: readonly string[] = [], root = projectDir) =>
    service(['install', 'agent', '--yes', ...(args.length > 0 ? ['--', ...args] : [])], root);
  const agent = async (): Promise<State> => JSON.parse((await service(['status', '--json'])).stdout)[0];
  const show = async (property: string) =>
    (await box.run(['systemctl', 'show', UNIT, '--value', '-p', property])).stdout;
  const files = async (path: string) => (await box.run(['find', path, '-printf', '%P %l\n'])).stdout;

  test('is installed, and says so when it is up', async () => {
    const { code, stdout, stderr } = await install(ARGS);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /\n {2}\/usr\/bin\/systemctl enable espalier-agent\.service\n/);
    assert.match(stdout, /espalier agent runs by systemd\.$/);
    const { pid, ...state } = await agent();
    assert.deepEqual(state, { name: 'agent', how: 'systemd', state: 'runs', args: ARGS });
    assert.equal(await show('MainPID'), String(pid));
    assert.match((await service(['logs', 'agent'])).stdout, /agent served is up/);
    assert.match((await service(['status'])).stdout, /^agent +systemd +runs +\d+ +--name served /m);
  });

  /** systemd has started another process than this one, and it has its home. */
  const isAnewAfter = async (pid: number | null): Promise<void> => {
    await until(async () => !['0', String(pid)].includes(await show('MainPID')), 'the next process');
    await until(async () => (await agent()).state === 'runs', 'the agent');
  };

  test('after kill -9 it is started again, as often as it takes', async () => {
    const { pid } = await agent();
    await box.run(['kill', '-9', String(pid)]);
    await isAnewAfter(pid);
    assert.equal(await show('StartLimitIntervalUSec'), '0');
  });

  test('it comes with the machine', async () => {
    const start = async () =>
      (await box.run(['systemctl', 'show', '-p', 'UserspaceTimestampMonotonic'])).stdout;
    const before = await start();
    await box.restart();
    assert.notEqual(await start(), before);
    await isAnewAfter(null);
  });

  test('an upgrade: the package of another folder takes over, with the options of the last time', async () => {
    const next = '/opt/espalier-next';
    await box.run(['mkdir', next]);
    const parts = ['dist', 'package.json'].map((name) => join(projectDir, name));
    assert.equal((await box.run(['cp', '-r', ...parts, next])).code, 0);
    await box.run(['ln', '-s', join(projectDir, 'node_modules'), next]);
    await box.run(['sed', '-i', 's/"version": ".*"/"version": "99.0.0"/', `${next}/package.json`]);
    const { code, stderr } = await install([], next);
    assert.equal(code, 0, stderr);
    const { pid, state, args } = await agent();
    assert.deepEqual([state, args], ['runs', ARGS]);
    const { stdout } = await box.run(['cat', `/proc/${pid}/cmdline`]);
    assert.deepEqual(stdout.split('\0').slice(1, 3), [cli(next), 'agent']);
  });

  test('options that it does not take: it says why, and that systemd goes on trying', async () => {
    const { code, stderr } = await install(['--port', 'many']);
    assert.equal(code, 1);
    assert.match(stderr, /espalier agent does not stay up, .*--port.*a whole number from 0 to 65535/);
    await until(async () => (await show('SubState')) === 'auto-restart', 'the next failure');
    assert.match((await service(['status'])).stdout, /^agent +systemd +fails, and is started again /m);
    assert.equal((await install(ARGS)).code, 0);
    assert.equal((await agent()).state, 'runs');
  });

  test('is uninstalled: its key stays, and nothing else of it', async () => {
    const { pid } = await agent();
    const { code, stdout } = await service(['uninstall', 'agent', '--yes']);
    assert.deepEqual([code, stdout.split('\n').at(-1)], [0, 'espalier agent is no service any more.']);
    assert.notEqual((await box.run(['kill', '-0', String(pid)])).code, 0);
    assert.equal(await show('LoadState'), 'not-found');
    assert.doesNotMatch(await files('/etc/systemd/system'), /espalier/);
    assert.deepEqual(
      (await files(HOME))
        .split('\n')
        .filter((line) => line.trim() !== '')
        .sort(),
      ['agent.pem ', 'agent.pid '],
    );
    assert.equal((await agent()).state, 'stopped');
  });

  test("another's unit of the same name runs again when ours is uninstalled", async () => {
    const path = `/etc/systemd/system/${UNIT}`;
    const text = '[Service]\nExecStart=/usr/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n';
    await box.run([
      'bash',
      '-c',
      `printf '%s' '${text}' >${path}; systemctl daemon-reload; systemctl enable --now ${UNIT}`,
    ]);
    assert.equal((await install(ARGS)).code, 0);
    assert.equal((await service(['uninstall', 'agent', '--yes'])).code, 0);
    assert.equal((await box.run(['cat', path])).stdout, text.trimEnd());
    assert.equal(await show('ActiveState'), 'active');
    assert.match((await box.run(['cat', `/proc/${await show('MainPID')}/cmdline`])).stdout, /sleep/);
  });
});
