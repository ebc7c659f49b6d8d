// What the checks say of the project's own Mac Studio as it is, and as it would be with other answers of single commands.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { nodeFindings } from '../../../agent/checks/findings.ts';
import { parseFirewallState, parseProgramBlocked } from '../../../agent/checks/firewall.ts';
import type { NodeState } from '../../../agent/checks/node-state.ts';
import { rdmaLadder } from '../../../agent/checks/rdma-ladder.ts';
import { factsOfMac } from '../../../agent/facts/mac/assemble.ts';
import type { MacCommandName } from '../../../agent/facts/mac/commands.ts';
import { Finding } from '../../../protocol/doctor.ts';
import type { FindingId } from '../../../protocol/doctor-findings.ts';
import type { MachineFacts } from '../../../protocol/facts.ts';
import { mac, nic, port } from '../../controller/links/macs.ts';
import { fixture, studioAnswers } from '../facts/support.ts';

const GIB = 1024 ** 3;
const ALLOWED = { state: 'allowed', seen: '1 of 1 neighbours answered' } as const;

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

function find(machine: MachineFacts, rest: Partial<NodeState> = {}): Finding[] {
  const state: NodeState = {
    ...{
      name: 'studio-1',
      machine,
      disk: null,
      firewall: null,
      isDiskEncrypted: null,
      localNetwork: ALLOWED,
    },
    ...rest,
  };
  const found = nodeFindings(state, rdmaLadder(machine));
  for (const one of found) assert.deepEqual(Finding.parse(one), one, 'the schema takes it');
  return found;
}

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
  const asleep = (text: string) => text.replace(/ sleep +0 .*/, ' sleep                10');

  test('a Mac that sleeps: the exact command, and what brings back the ten minutes', () => {
    const { seen, fix } = one(find(studio({ powerSettings: asleep })), 'sleeps');
    assert.match(seen, /after 10 minutes/);
    assert.deepEqual(fix?.apply, [['/usr/bin/pmset', '-c', 'sleep', '0']]);
    assert.deepEqual(fix.undo, [['/usr/bin/pmset', '-c', 'sleep', '10']]);
    assert.deepEqual([fix.needsRoot, fix.safe], [true, true]);
  });

  test('what else pmset tells', () => {
    const edit = (text: string) =>
      text
        .replace(/womp +1/, 'womp 0')
        .replace(/autorestart +1/, 'autorestart 0')
        .replace(/powermode +2/, 'powermode 1');
    const found = find(
      studio({ powerSettings: edit, powerSource: (text) => text.replace('AC Power', 'Battery Power') }),
    );
    for (const id of ['no-wake', 'no-restart', 'low-power', 'on-battery'] as const) one(found, id);
  });

  test('FileVault matters where the Mac would start by itself', () => {
    assert.equal(one(find(studio(), { isDiskEncrypted: true }), 'filevault-restart').fix, null);
    const stays = studio({ powerSettings: (text) => text.replace(/autorestart +1/, 'autorestart 0') });
    assert.equal(
      find(stays, { isDiskEncrypted: true }).filter(({ id }) => id === 'filevault-restart').length,
      0,
    );
  });

  test('heat', () => {
    const machine = studio();
    const hot: MachineFacts = { ...machine, thermal: { level: 'heavy', cpuSpeedShare: 0.6 } };
    assert.match(one(find(hot), 'hot').seen, /"heavy".*60%/);
  });
});

describe('memory', () => {
  test('the default limit of a large Mac, once Metal has told it', () => {
    const unset = (text: string) => text.replace('iogpu.wired_limit_mb: 122880', 'iogpu.wired_limit_mb: 0');
    const { seen, fix } = one(find(studio({ sysctl: unset }, 96 * GIB)), 'gpu-limit-default');
    assert.match(seen, /96 GiB of 128 GiB \(measured\)/);
    assert.deepEqual(fix?.apply, [['/usr/sbin/sysctl', `iogpu.wired_limit_mb=${120 * 1024}`]]);
    assert.deepEqual(fix.undo, [['/usr/sbin/sysctl', 'iogpu.wired_limit_mb=0']]);
  });

  test('a limit that leaves macOS nothing', () => {
    const all = (text: string) =>
      text.replace('iogpu.wired_limit_mb: 122880', 'iogpu.wired_limit_mb: 130000');
    const { fix } = one(find(studio({ sysctl: all })), 'gpu-limit-high');
    assert.deepEqual(fix?.undo, [['/usr/sbin/sysctl', 'iogpu.wired_limit_mb=130000']]);
  });

  test('the disk: nothing said, low, full', () => {
    const disk = (freeBytes: number) => ({ path: '/Users/me/.espalier', freeBytes, totalBytes: 994 * GIB });
    assert.equal(
      find(studio(), { disk: disk(200 * GIB) }).filter(({ id }) => id.startsWith('disk')).length,
      0,
    );
    assert.match(one(find(studio(), { disk: disk(12 * GIB) }), 'disk-low').seen, /12 GiB of 994 GiB/);
    assert.equal(one(find(studio(), { disk: disk(GIB / 2) }), 'disk-full').severity, 'error');
  });
});

describe('firewall', () => {
  const program = '/opt/node/bin/node';

  test('its words, as recorded and as damaged', () => {
    assert.equal(parseFirewallState('Firewall is disabled. (State = 0)\n'), 'off');
    assert.equal(parseFirewallState('Firewall is enabled. (State = 1)\n'), 'on');
    assert.equal(parseFirewallState('Firewall is enabled. (State = 2)'), 'blocks-all');
    assert.equal(parseFirewallState('Firewall is enabled. (State = '), null);
    assert.equal(parseProgramBlocked('Incoming connection to the application is permitted'), false);
    assert.equal(parseProgramBlocked('Incoming connection to the application is blocked'), true);
    assert.equal(parseProgramBlocked('The application is not part of the firewall'), null);
  });

  test('what it says, and that --fix never opens it', () => {
    const seen = (state: 'off' | 'on' | 'blocks-all', isProgramBlocked: boolean | null) =>
      find(studio(), { firewall: { state, program, isProgramBlocked } }).filter(({ id }) =>
        id.startsWith('firewall'),
      );
    assert.deepEqual(seen('off', null), []);
    assert.deepEqual(seen('on', false), []);
    const kinds = [seen('on', null), seen('on', true), seen('blocks-all', null)].flat();
    assert.deepEqual(
      kinds.map(({ id, severity }) => [id, severity]),
      [
        ['firewall-on', 'info'],
        ['firewall-blocks-node', 'error'],
        ['firewall-blocks-all', 'error'],
      ],
    );
    assert.ok(kinds.every(({ fix }) => fix && !fix.safe && fix.undo.length > 0));
  });
});

describe('cables and routes', () => {
  const machineOf = (...args: Parameters<typeof mac>) => mac(...args).machine as MachineFacts;

  test('a cabled port without an address: by what its service lacks', () => {
    const lone = (service: MachineFacts['interfaces'][0]['service']) =>
      one(
        find(machineOf('a', [nic('en5', 'thunderbolt', [], { service })], [port(1, 2, 'en5')])),
        'port-without-address',
      );
    assert.deepEqual(lone(null).fix?.undo, [
      ['/usr/sbin/networksetup', '-removenetworkservice', 'Espalier Thunderbolt 1'],
    ]);
    const off = lone({ name: 'Cable', order: null, ipv4: null });
    assert.deepEqual(off.fix?.apply, [
      ['/usr/sbin/networksetup', '-setnetworkserviceenabled', 'Cable', 'on'],
    ]);
    const on = lone({ name: 'Cable', order: 3, ipv4: 'manual' });
    assert.deepEqual(on.fix?.apply, [['/usr/sbin/networksetup', '-setv6automatic', 'Cable']]);
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
    const { seen, fix } = one(find(machine), 'bridge-joins-cables');
    assert.match(seen, /en5, en6/);
    assert.equal(fix?.safe, false);
    assert.deepEqual(fix.undo, [
      ['/usr/sbin/networksetup', '-setnetworkserviceenabled', 'Thunderbolt Bridge', 'on'],
    ]);
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
  const found = find(studio(), { localNetwork: { state: 'denied', seen: 'each of 2 neighbours …' } });
  assert.equal(found[0]?.id, 'local-network-denied');
});
