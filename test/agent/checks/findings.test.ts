// What the checks say of the project's own Mac Studio as it is, and as it would be with other answers of single commands.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { readMacSettings, type SettingsAnswers } from '../../../agent/checks/changes/mac-settings.ts';
import { CHANGE_LABELS, type MacNow, proposedChanges } from '../../../agent/checks/changes/proposals.ts';
import { nodeFindings } from '../../../agent/checks/findings.ts';
import type { NodeState } from '../../../agent/checks/node-state.ts';
import { rdmaLadder } from '../../../agent/checks/rdma-ladder.ts';
import { factsOfMac } from '../../../agent/facts/mac/assemble.ts';
import type { MacCommandName } from '../../../agent/facts/mac/commands.ts';
import { Finding, type Fix } from '../../../protocol/doctor.ts';
import type { FindingId } from '../../../protocol/doctor-findings.ts';
import type { MachineFacts } from '../../../protocol/facts.ts';
import { formatArgv } from '../../../protocol/system-change.ts';
import { mac, nic, port } from '../../controller/links/macs.ts';
import { fixture, studioAnswers } from '../facts/support.ts';

const GIB = 1024 ** 3;
const ALLOWED = { state: 'allowed', seen: '1 of 1 neighbours answered' } as const;
const PROGRAM = '/opt/node/bin/node';
const NO_DAEMONS = Object.fromEntries(
  CHANGE_LABELS.map((label) => [label, { file: null, isLoaded: false }]),
) as MacNow['daemons'];

type Edits = Partial<Record<MacCommandName, (text: string) => string>>;

/** The studio with some of its answers changed. */
function studio(edits: Edits = {}, measuredGpuBytes: number | null = null): MachineFacts {
  const answers = studioAnswers();
  for (const [name, edit] of Object.entries(edits)) {
    const before = fixture('studio', name as MacCommandName);
    const text = edit(before);
    assert.notEqual(text, before, `the fixture ${name} has nothing to change`);
    answers.commands[name as MacCommandName] = { text };
  }
  return factsOfMac(answers, measuredGpuBytes);
}

/** What the studio's commands say of its settings, some of it changed. */
function answers(changed: Partial<SettingsAnswers> = {}): SettingsAnswers {
  return {
    pmset: fixture('studio', 'powerSettingsAll'),
    pmsetSystem: fixture('studio', 'powerSettings'),
    wiredLimit: fixture('studio', 'sysctl'),
    firewallState: 'Firewall is disabled. (State = 0)\n',
    firewallApps: '',
    ...changed,
  };
}

function find(
  machine: MachineFacts,
  changed: Partial<SettingsAnswers> = {},
  rest: Partial<NodeState> = {},
): Finding[] {
  const settings = readMacSettings(answers(changed));
  const inputs = { facts: machine, settings, daemons: NO_DAEMONS, home: '/h', nodePath: PROGRAM };
  const state: NodeState = {
    ...{ name: 'studio-1', machine, disk: null, isDiskEncrypted: null, localNetwork: ALLOWED },
    ...{ settings, changes: proposedChanges(inputs), program: PROGRAM },
    ...rest,
  };
  const found = nodeFindings(state, rdmaLadder(machine));
  for (const one of found) assert.deepEqual(Finding.parse(one), one, 'the schema takes it');
  const mended = new Set(found.flatMap(({ fixes }) => fixes));
  assert.deepEqual(mended, new Set(state.changes), 'each change mends what was found');
  return found;
}

const typed = (argvs: Fix['apply']) => argvs.map(formatArgv);

function one(found: readonly Finding[], id: FindingId): Finding {
  const hits = found.filter((entry) => entry.id === id);
  assert.equal(hits.length, 1, `${id}: ${found.map((entry) => entry.id)}`);
  return hits[0] as Finding;
}

test('a healthy Mac: only what there really is', () => {
  const ids = find(studio()).map(({ id }) => id);
  // a laptop behind a dock, somebody's memory pressure, and RDMA's next rung; nothing of power or routes
  assert.deepEqual(ids, ['memory-pressure', 'cable-through-dock']);
});

describe('power', () => {
  const edited = (edit: (text: string) => string) => {
    const pmset = fixture('studio', 'powerSettingsAll');
    assert.notEqual(edit(pmset), pmset);
    return { pmset: edit(pmset) };
  };

  test('a Mac that sleeps: the exact command, and what brings back the ten minutes', () => {
    const asleep = edited((text) => text.replace(/ sleep +0/, ' sleep                10'));
    const { seen, fixes } = one(find(studio(), asleep), 'sleeps');
    assert.match(seen, /after 10 minutes/);
    assert.deepEqual(
      fixes.map(({ apply, undo, needsRoot, safe }) => [typed(apply), typed(undo), needsRoot, safe]),
      [[['/usr/bin/pmset -c sleep 0'], ['/usr/bin/pmset -c sleep 10'], true, true]],
    );
    // `pmset disablesleep 1` holds whatever else is set
    const pmsetSystem = 'System-wide power settings:\n SleepDisabled\t\t1\nCurrently in use:\n sleep 10\n';
    assert.ok(find(studio(), { ...asleep, pmsetSystem }).every(({ id }) => id !== 'sleeps'));
  });

  test('what else pmset tells: two findings may have one change', () => {
    const edit = edited((text) =>
      text
        .replace(/womp +1/, 'womp 0')
        .replace(/autorestart +1/, 'autorestart 0')
        .replace(/powermode +2/, 'powermode 1'),
    );
    const found = find(studio({ powerSource: (text) => text.replace('AC Power', 'Battery Power') }), edit);
    one(found, 'on-battery');
    const [wake, restart] = [one(found, 'no-wake').fixes, one(found, 'no-restart').fixes];
    assert.deepEqual(wake, restart);
    assert.deepEqual(typed(wake[0]?.apply ?? []), ['/usr/bin/pmset -c womp 1 autorestart 1']);
    assert.deepEqual(typed(wake[0]?.undo ?? []), ['/usr/bin/pmset -c womp 0 autorestart 0']);
    const [power] = one(found, 'low-power').fixes;
    assert.deepEqual(typed(power?.apply ?? []), ['/usr/bin/pmset -c powermode 0']);
    assert.deepEqual(typed(power?.undo ?? []), ['/usr/bin/pmset -c powermode 1']);
  });

  test('a laptop on its battery: what holds on AC power counts, and is what an undo brings back', () => {
    const edits = { powerSource: (text: string) => text.replace('AC Power', 'Battery Power') };
    const answers = {
      pmset: fixture('laptop', 'powerSettingsAll'),
      pmsetSystem: fixture('laptop', 'powerSettings'),
    };
    const found = find(studio(edits), answers);
    const { seen, fixes } = one(found, 'sleeps');
    assert.match(seen, /after 15 minutes/);
    assert.deepEqual(typed(fixes[0]?.undo ?? []), ['/usr/bin/pmset -c sleep 15']);
    // womp 0 and powermode 1 hold on its battery only
    assert.ok(found.every(({ id }) => id !== 'no-wake' && id !== 'low-power'));
  });

  test('FileVault matters where the Mac would start by itself', () => {
    const encrypted = { isDiskEncrypted: true };
    assert.deepEqual(one(find(studio(), {}, encrypted), 'filevault-restart').fixes, []);
    const stays = edited((text) => text.replace(/autorestart +1/, 'autorestart 0'));
    assert.ok(find(studio(), stays, encrypted).every(({ id }) => id !== 'filevault-restart'));
  });

  test('heat', () => {
    const machine = studio();
    const hot: MachineFacts = { ...machine, thermal: { level: 'heavy', cpuSpeedShare: 0.6 } };
    assert.match(one(find(hot), 'hot').seen, /"heavy".*60%/);
  });
});

describe('memory', () => {
  const plist = '/Library/LaunchDaemons/org.espalier.wired-limit.plist';
  const install = `/usr/bin/install -m 644 -o root -g wheel /h/system-changes/wired-limit/org.espalier.wired-limit.plist ${plist}`;
  const set = (mb: number) => (text: string) =>
    text.replace('iogpu.wired_limit_mb: 122880', `iogpu.wired_limit_mb: ${mb}`);
  const limited = (mb: number, measured: number | null = null) =>
    find(studio({ sysctl: set(mb) }, measured), { wiredLimit: set(mb)(fixture('studio', 'sysctl')) });

  test('the default limit of a large Mac, once Metal has told it: raised also after a restart', () => {
    const { seen, fixes } = one(limited(0, 96 * GIB), 'gpu-limit-low');
    assert.match(seen, /96 GiB of 128 GiB \(measured\)/);
    assert.equal(fixes.length, 1);
    assert.deepEqual(typed(fixes[0]?.apply ?? []), [install, `/bin/launchctl bootstrap system ${plist}`]);
    assert.ok(fixes[0]?.files[0]?.text.includes(`<string>iogpu.wired_limit_mb=${120 * 1024}</string>`));
    assert.deepEqual(typed(fixes[0]?.undo ?? []), [
      '/bin/launchctl bootout system/org.espalier.wired-limit',
      `/bin/rm -f ${plist}`,
      '/usr/sbin/sysctl iogpu.wired_limit_mb=0',
    ]);
  });

  test('a limit that somebody set: too low, nearly enough, and so high that macOS has nothing left', () => {
    assert.match(one(limited(100_000), 'gpu-limit-low').seen, /98 GiB of 128 GiB \(sysctl\)/);
    assert.ok(limited(121_000).every(({ id }) => !id.startsWith('gpu')));
    const { fixes } = one(limited(130_000), 'gpu-limit-high');
    assert.ok(fixes[0]?.files[0]?.text.includes(`<string>iogpu.wired_limit_mb=${120 * 1024}</string>`));
    assert.equal(typed(fixes[0]?.undo ?? []).at(-1), '/usr/sbin/sysctl iogpu.wired_limit_mb=130000');
  });

  test('macOS 13 has it by another name, in bytes', () => {
    const wiredLimit = 'debug.iogpu.wired_limit: 0\n';
    const [fix] = one(find(studio({ sysctl: set(0) }), { wiredLimit }), 'gpu-limit-low').fixes;
    assert.ok(fix?.files[0]?.text.includes(`<string>debug.iogpu.wired_limit=${120 * GIB}</string>`));
    assert.equal(typed(fix?.undo ?? []).at(-1), '/usr/sbin/sysctl debug.iogpu.wired_limit=0');
  });

  test('the disk: nothing said, low, full', () => {
    const disk = (freeBytes: number) => ({ path: '/Users/me/.espalier', freeBytes, totalBytes: 994 * GIB });
    assert.equal(
      find(studio(), {}, { disk: disk(200 * GIB) }).filter(({ id }) => id.startsWith('disk')).length,
      0,
    );
    assert.match(one(find(studio(), {}, { disk: disk(12 * GIB) }), 'disk-low').seen, /12 GiB of 994 GiB/);
    assert.equal(one(find(studio(), {}, { disk: disk(GIB / 2) }), 'disk-full').severity, 'error');
  });
});

test('the firewall: what it says, and that --fix never opens it', () => {
  const tool = '/usr/libexec/ApplicationFirewall/socketfilterfw';
  const seen = (state: 0 | 1 | 2, verdict?: 'Allow' | 'Block') => {
    const firewallState = `Firewall is ${state === 0 ? 'disabled' : 'enabled'}. (State = ${state})\n`;
    const firewallApps = verdict ? `1 : ${PROGRAM} \n ( ${verdict} incoming connections )\n` : '';
    return find(studio(), { firewallState, firewallApps }).filter(({ id }) => id.startsWith('firewall'));
  };
  assert.deepEqual(seen(0), []);
  assert.deepEqual(seen(1, 'Allow'), []);
  const kinds = [seen(1), seen(1, 'Block'), seen(2, 'Allow')].flat();
  assert.deepEqual(
    kinds.map(({ id, severity, fixes }) => [
      id,
      severity,
      fixes.flatMap(({ apply }) => typed(apply)),
      fixes.flatMap(({ undo }) => typed(undo)),
    ]),
    [
      [
        'firewall-on',
        'info',
        [`${tool} --add ${PROGRAM}`, `${tool} --unblockapp ${PROGRAM}`],
        [`${tool} --remove ${PROGRAM}`],
      ],
      [
        'firewall-blocks-node',
        'error',
        [`${tool} --unblockapp ${PROGRAM}`],
        [`${tool} --blockapp ${PROGRAM}`],
      ],
      ['firewall-blocks-all', 'error', [`${tool} --setblockall off`], [`${tool} --setblockall on`]],
    ],
  );
  assert.ok(kinds.every(({ fixes }) => fixes.every(({ safe }) => !safe)));
});

describe('cables and routes', () => {
  const machineOf = (...args: Parameters<typeof mac>) => mac(...args).machine as MachineFacts;

  test('a cabled port without an address: by what its service lacks', () => {
    const lone = (service: MachineFacts['interfaces'][0]['service']) =>
      one(
        find(machineOf('a', [nic('en5', 'thunderbolt', [], { service })], [port(1, 2, 'en5')])),
        'port-without-address',
      );
    const setup = '/usr/sbin/networksetup';
    const [fresh] = lone(null).fixes;
    assert.deepEqual(typed(fresh?.apply ?? []), [
      `${setup} -createnetworkservice 'Espalier Thunderbolt 1' 'Thunderbolt 1'`,
      `${setup} -setv6LinkLocal 'Espalier Thunderbolt 1'`,
    ]);
    assert.deepEqual(typed(fresh?.undo ?? []), [`${setup} -removenetworkservice 'Espalier Thunderbolt 1'`]);
    const [off] = lone({ name: 'Cable', order: null, ipv4: null }).fixes;
    assert.deepEqual(typed(off?.apply ?? []), [`${setup} -setnetworkserviceenabled Cable on`]);
    assert.deepEqual(typed(off?.undo ?? []), [`${setup} -setnetworkserviceenabled Cable off`]);
    assert.deepEqual([fresh?.safe, off?.safe], [true, true]);
    // what it was set to by hand is not known, so that nothing could bring it back
    assert.deepEqual(lone({ name: 'Cable', order: 3, ipv4: 'manual' }).fixes, []);
  });

  test('RDMA that is on, and a cable without an IPv4 address: --fix does not replace what is there', () => {
    const service = { name: 'Cable', order: 3, ipv4: 'dhcp' as const };
    const machine = machineOf(
      'a',
      [nic('en5', 'thunderbolt', ['fe80::5/64'], { service })],
      [port(1, 2, 'en5')],
    );
    const device = { name: 'rdma_en5', interface: 'en5', gids: [], hasIpv4Gid: false };
    const rdma: MachineFacts['rdma'] = { state: 'enabled', devices: [{ ...device, portState: 'active' }] };
    const { fixes, severity } = one(find({ ...machine, rdma }), 'port-without-ipv4');
    assert.equal(severity, 'info');
    assert.match(typed(fixes[0]?.apply ?? []).join(), /networksetup -setmanual Cable 10\.75\.\d+\.\d+ 255/);
    assert.deepEqual(typed(fixes[0]?.undo ?? []), ['/usr/sbin/networksetup -setdhcp Cable']);
    assert.equal(fixes[0]?.safe, false);
  });

  test('one with an address, or in a bridge that has one, is fine', () => {
    const cabled = [port(1, 2, 'en5')];
    const own = machineOf('a', [nic('en5', 'thunderbolt', ['fe80::5/64'])], cabled);
    const bridged = machineOf(
      'a',
      [
        nic('en5', 'thunderbolt', []),
        nic('bridge0', 'thunderbolt-bridge', ['169.254.1.2/16'], { members: ['en5'] }),
      ],
      cabled,
    );
    for (const machine of [own, bridged])
      assert.equal(find(machine).filter(({ id }) => id === 'port-without-address').length, 0);
  });

  test('a bridge over two cables: told, and not touched by --fix', () => {
    const service = { name: 'Thunderbolt Bridge', order: 2, ipv4: null };
    const machine = machineOf(
      'a',
      [
        nic('en5', 'thunderbolt', []),
        nic('en6', 'thunderbolt', []),
        nic('bridge0', 'thunderbolt-bridge', ['169.254.1.2/16'], { members: ['en5', 'en6'], service }),
      ],
      [port(1, 2, 'en5'), port(3, 4, 'en6')],
    );
    const { seen, fixes } = one(find(machine), 'bridge-joins-cables');
    assert.match(seen, /en5, en6/);
    assert.deepEqual(
      fixes.map(({ id, safe }) => [id, safe]),
      [
        ['thunderbolt-bridge', false],
        ['address-en5', false],
        ['address-en6', false],
      ],
    );
  });

  test('where the default route leaves', () => {
    const route = (name: string) => ({
      ...{ family: 'IPv4' as const, destination: 'default', gateway: '192.168.1.1', isScoped: false },
      interface: name,
    });
    const machine = machineOf('a', [
      nic('en0', 'ethernet', ['192.168.1.2/24']),
      nic('en1', 'wifi', ['192.168.1.3/24']),
      nic('en5', 'thunderbolt', ['10.1.1.1/30']),
    ]);
    one(find({ ...machine, routes: [route('en1')] }), 'default-route-by-wifi');
    one(find({ ...machine, routes: [route('en5')] }), 'default-route-by-cable');
    assert.deepEqual(find({ ...machine, routes: [route('en0')] }), []);
  });
});

test('an old macOS, and facts that are missing', () => {
  const machine = studio({ swVers: (text) => text.replace('26.4', '14.4') });
  one(find(machine), 'system-old');
  const notes = Array.from({ length: 5 }, (_, i) => ({ source: `command ${i}`, text: 'it did not answer' }));
  assert.match(one(find({ ...machine, notes }), 'facts-incomplete').seen, /command 2.*and 2 more/);
});

test('no permission for the local network', () => {
  const found = find(studio(), {}, { localNetwork: { state: 'denied', seen: 'each of 2 neighbours …' } });
  assert.equal(found[0]?.id, 'local-network-denied');
});
