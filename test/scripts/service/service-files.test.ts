// What a service's files hold: read back by a library for property lists, and checked by systemd itself where it is.
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { execaSync } from 'execa';
import { parse } from 'plist';
import { formatArgv } from '../../../protocol/system-change.ts';
import { launchdService } from '../../../scripts/service/launchd-service.ts';
import type { ServiceSpec } from '../../../scripts/service/service-spec.ts';
import { serviceSpec } from '../../../scripts/service/service-spec.ts';
import { parseSystemctlShow, systemdService, unitText } from '../../../scripts/service/systemd-service.ts';
import { tempHome } from '../../support/temp-home.ts';

const SPEC: ServiceSpec = {
  name: 'controller',
  args: ['--model', '/Volumes/Big <Disk> & more/100% R1', '--nodes', '6'],
  command: [
    '/opt/node/bin/node',
    '/opt/espalier/main.js',
    'controller',
    '--model',
    '/Volumes/Big <Disk> & more/100% R1 "$HOME"',
  ],
  home: '/Users/ann/.espalier',
  user: 'ann',
  environment: { ESPALIER_HOME: '/Users/ann/.espalier', HF_HOME: '/Volumes/Big Disk/hf' },
};
const words = (argvs: readonly (readonly string[])[]) => argvs.map((argv) => formatArgv(argv));

test('a LaunchDaemon: every key, read back', () => {
  const change = launchdService(
    SPEC,
    { file: null, isLoaded: false },
    '/Users/ann/.espalier/system-changes/s',
  );
  assert.equal(change.id, 'service-controller');
  const log = '/Users/ann/.espalier/logs/controller.log';
  assert.deepEqual(parse(change.files[0]?.text ?? ''), {
    Label: 'org.espalier.controller',
    ProgramArguments: SPEC.command,
    EnvironmentVariables: {
      PATH: '/usr/bin:/bin:/usr/sbin:/sbin:/opt/homebrew/bin:/usr/local/bin',
      ...SPEC.environment,
    },
    UserName: 'ann',
    WorkingDirectory: '/Users/ann/.espalier',
    RunAtLoad: true,
    KeepAlive: true,
    ThrottleInterval: 10,
    ExitTimeOut: 20,
    ProcessType: 'Interactive',
    StandardOutPath: log,
    StandardErrorPath: log,
  });
  const path = '/Library/LaunchDaemons/org.espalier.controller.plist';
  const staged = '/Users/ann/.espalier/system-changes/s/org.espalier.controller.plist';
  assert.deepEqual(words(change.apply), [
    `/usr/bin/install -m 644 -o root -g wheel ${staged} ${path}`,
    `/bin/launchctl bootstrap system ${path}`,
  ]);
  assert.deepEqual(words(change.undo), [
    '/bin/launchctl bootout system/org.espalier.controller',
    `/bin/rm -f ${path}`,
  ]);
});

test('an upgrade ends the one that runs first; what was there of somebody else is brought back', () => {
  const change = launchdService(SPEC, { file: '<plist/>', isLoaded: true }, '/h/s');
  assert.deepEqual(change.files[1], { path: '/h/s/org.espalier.controller.plist.before', text: '<plist/>' });
  assert.equal(words(change.apply)[0], '/bin/launchctl bootout system/org.espalier.controller');
  assert.deepEqual(words(change.undo).slice(1), [
    '/usr/bin/install -m 644 -o root -g wheel /h/s/org.espalier.controller.plist.before /Library/LaunchDaemons/org.espalier.controller.plist',
    '/bin/launchctl bootstrap system /Library/LaunchDaemons/org.espalier.controller.plist',
  ]);
});

describe('a systemd unit', () => {
  test('its text and its commands', () => {
    const text = unitText(SPEC);
    assert.match(
      text,
      /^ExecStart=\/opt\/node\/bin\/node .*"\/Volumes\/Big <Disk> & more\/100%% R1 \\"\$\$HOME\\""$/m,
    );
    assert.match(text, /^Environment="HF_HOME=\/Volumes\/Big Disk\/hf"$/m);
    assert.match(text, /^Restart=always$/m);
    const change = systemdService(SPEC, null, '/h/s');
    const unit = 'espalier-controller.service';
    assert.deepEqual(words(change.apply), [
      `/usr/bin/install -m 644 -o root -g root /h/s/${unit} /etc/systemd/system/${unit}`,
      '/usr/bin/systemctl daemon-reload',
      `/usr/bin/systemctl enable ${unit}`,
      `/usr/bin/systemctl restart ${unit}`,
    ]);
    assert.deepEqual(words(change.undo), [
      `/usr/bin/systemctl disable --now ${unit}`,
      `/bin/rm -f /etc/systemd/system/${unit}`,
      '/usr/bin/systemctl daemon-reload',
    ]);
  });

  const hasSystemd = !execaSync('systemd-analyze', ['--version'], { reject: false }).failed;
  test('systemd itself finds nothing wrong', { skip: hasSystemd ? false : 'no systemd-analyze here' }, () => {
    const home = tempHome();
    mkdirSync(home, { recursive: true });
    const spec = serviceSpec('agent', ['--name', 'studio 2', '--memory-limit', '180GB'], home);
    const path = join(home, 'espalier-agent.service');
    writeFileSync(path, unitText(spec));
    const { exitCode, all } = execaSync('systemd-analyze', ['verify', '--man=no', path], {
      all: true,
      reject: false,
      env: { SYSTEMD_LOG_LEVEL: 'warning' },
    });
    assert.equal(exitCode, 0, all);
    assert.doesNotMatch(all ?? '', /espalier-agent\.service/);
  });

  test('what systemctl says of it', () => {
    const show = (active: string, sub: string, pid: number) =>
      parseSystemctlShow(`LoadState=loaded\nActiveState=${active}\nSubState=${sub}\nMainPID=${pid}\n`);
    assert.deepEqual(show('active', 'running', 4711), { pid: 4711, hasFailed: false });
    assert.deepEqual(show('activating', 'auto-restart', 0), { pid: null, hasFailed: true });
    assert.deepEqual(show('failed', 'failed', 0), { pid: null, hasFailed: true });
    assert.deepEqual(show('inactive', 'dead', 0), { pid: null, hasFailed: false });
    assert.equal(parseSystemctlShow('LoadState=not-found\nActiveState=inactive\nMainPID=0\n'), undefined);
  });
});
