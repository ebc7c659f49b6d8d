// Outputs of real Macs, where they are at hand: what is read of them is what an undo brings back.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { readMacSettings } from '../../../../agent/checks/changes/mac-settings.ts';
import { powerChanges } from '../../../../agent/checks/changes/power.ts';
import { formatArgv } from '../../../../protocol/system-change.ts';
import { parseLaunchctlPrint } from '../../../../scripts/service/launchd-service.ts';
import { projectDir } from '../../../support/paths.ts';

const recordings = join(projectDir, '..', 'shared', 'macos');
const skip = existsSync(recordings) ? false : 'no recordings of Macs here';
const recorded = (path: string) => readFileSync(join(recordings, path), 'utf8');
const NOTHING = { pmset: '', pmsetSystem: '', wiredLimit: '', firewallState: '', firewallApps: '' };

test('no answers: nothing is known, and nothing can be proposed', () => {
  assert.deepEqual(readMacSettings(NOTHING), {
    acPower: new Map(),
    isSleepDisabled: false,
    wiredLimit: null,
    firewall: null,
    firewallApps: new Map(),
  });
});

test('programs of the firewall, in the forms of older and newer systems', () => {
  const firewallApps = [
    'ALF: total number of apps = 2 ',
    '',
    '1 :  /opt/homebrew/bin/node ',
    ' \t ( Allow incoming connections ) ',
    '',
    '2 : /Applications/Some App.app ',
    '             (Block incoming connections)',
    '',
  ].join('\n');
  assert.deepEqual(
    readMacSettings({ ...NOTHING, firewallApps }).firewallApps,
    new Map([
      ['/opt/homebrew/bin/node', true],
      ['/Applications/Some App.app', false],
    ]),
  );
});

describe('recordings', { skip }, () => {
  test('a laptop: what holds on AC power, not on its battery', () => {
    const text = recorded('pmset-g-custom/macbookpro-m3max.txt');
    const { acPower } = readMacSettings({ ...NOTHING, pmset: text });
    const ac = text.slice(text.indexOf('AC Power:'));
    const value = (key: string) => Number(new RegExp(`^ ${key}\\s+(\\d+)`, 'm').exec(ac)?.[1]);
    assert.equal(acPower.get('sleep'), value('sleep'));
    assert.equal(acPower.get('womp'), value('womp'));
    assert.ok(Number.isInteger(acPower.get('disksleep')));
  });

  test('what is proposed for it, word by word: its battery stays as it is', () => {
    const pmset = recorded('pmset-g-custom/macbookpro-m3max.txt');
    const changes = powerChanges(readMacSettings({ ...NOTHING, pmset }));
    assert.deepEqual(
      changes.map(({ id, apply, undo }) => [id, apply.map(formatArgv), undo.map(formatArgv)]),
      [['no-sleep', ['/usr/bin/pmset -c sleep 0'], ['/usr/bin/pmset -c sleep 1']]],
    );
    const isDisabled = (file: string) =>
      readMacSettings({ ...NOTHING, pmsetSystem: recorded(`pmset-g/${file}`) }).isSleepDisabled;
    assert.deepEqual(['sleepdisabled-on.trimmed.txt', 'sleep-allowed-10min.trimmed.txt'].map(isDisabled), [
      true,
      false,
    ]);
  });

  test('the firewall, the wired limit, and what launchd prints', () => {
    const firewall = (file: string) =>
      readMacSettings({ ...NOTHING, firewallState: recorded(`socketfilterfw/${file}`) }).firewall;
    assert.deepEqual([firewall('globalstate-off.txt'), firewall('globalstate-on.txt')], ['off', 'on']);
    const wiredLimit = recorded('sysctl/macmini-m2pro-wired-limit-default.txt');
    assert.deepEqual(readMacSettings({ ...NOTHING, wiredLimit }).wiredLimit, {
      key: 'iogpu.wired_limit_mb',
      value: 0,
    });
    const print = (file: string) => parseLaunchctlPrint(recorded(`launchctl-print/${file}`));
    assert.deepEqual(print('running-keepalive.trimmed.txt'), { pid: 82285, hasFailed: false });
    assert.deepEqual(print('not-running-ex-config.trimmed.txt'), { pid: null, hasFailed: true });
    assert.equal(print('missing-service.txt'), undefined);
  });
});
