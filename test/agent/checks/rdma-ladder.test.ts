// The way to RDMA, rung by rung: a Mac that has climbed all of it, with one thing after the other taken away; and recorded Macs.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { rdmaFindings, rdmaLadder } from '../../../agent/checks/rdma-ladder.ts';
import { factsOfMac } from '../../../agent/facts/mac/assemble.ts';
import type { MacCommandName } from '../../../agent/facts/mac/commands.ts';
import { Rung } from '../../../protocol/doctor.ts';
import { MachineFacts } from '../../../protocol/facts.ts';
import { mac, nic, port } from '../../controller/links/macs.ts';
import { projectDir } from '../../support/paths.ts';

const folder = join(projectDir, '../shared/macos');
const skip = existsSync(folder) ? false : 'there are no recordings beside this checkout';

/** Everything that RDMA needs. */
function ready(): MachineFacts {
  const cabled = port(1, 2, 'en5', { linkGbps: 80 });
  const peers = cabled.peers.map((peer) => ({ ...peer, offersRdma: true }));
  const machine = mac('a', [nic('en5', 'thunderbolt', ['10.1.1.1/30'])], [{ ...cabled, peers }])
    .machine as MachineFacts;
  const device = {
    name: 'rdma_en5',
    interface: 'en5',
    portState: 'active' as const,
    gids: [],
    hasIpv4Gid: true,
  };
  return MachineFacts.parse({ ...machine, rdma: { state: 'enabled', devices: [device] } });
}

function missing(machine: MachineFacts): string | undefined {
  const ladder = rdmaLadder(machine);
  for (const rung of ladder) assert.deepEqual(Rung.parse(rung), rung);
  const at = ladder.findIndex(({ state }) => state === 'no');
  assert.ok(
    at < 0 || ladder.slice(at + 1).every(({ state, remedy }) => state === 'unknown' && remedy === null),
  );
  assert.ok(at < 0 || ladder[at]?.remedy, 'a missing rung tells how to get there');
  return ladder[at]?.id;
}

test('a Mac that is ready', () => {
  assert.equal(missing(ready()), undefined);
  assert.ok(rdmaLadder(ready()).every(({ state }) => state === 'yes'));
  assert.deepEqual(rdmaFindings('a', rdmaLadder(ready())), []);
});

test('no Thunderbolt, no ladder', () => {
  assert.deepEqual(rdmaLadder({ ...ready(), thunderboltPorts: [] }), []);
});

describe('each rung can be the missing one', () => {
  const full = ready();
  const [cabled] = full.thunderboltPorts;
  const [device] = full.rdma.devices;
  assert.ok(cabled && device);
  const idle = { ...cabled, connected: false, linkGbps: null, maxGbps: 120, peers: [] };
  const withPeer = (change: Partial<MachineFacts['thunderboltPorts'][0]['peers'][0]>) => ({
    thunderboltPorts: [{ ...cabled, peers: cabled.peers.map((peer) => ({ ...peer, ...change })) }],
  });
  const cases: [rung: string, change: Partial<MachineFacts>][] = [
    ['hardware', { thunderboltPorts: [{ ...cabled, linkGbps: 40 }] }],
    ['system', { os: { ...full.os, version: '26.1' } }],
    ['enabled', { rdma: { state: 'disabled', devices: [] } }],
    ['device', { rdma: { state: 'enabled-no-device', devices: [] } }],
    ['cable', { thunderboltPorts: [{ ...cabled, linkGbps: 40, maxGbps: 120 }] }],
    ['cable', { thunderboltPorts: [idle] }],
    ['cable', withPeer({ throughDock: 'Studio Display' })],
    ['peer', withPeer({ offersRdma: false })],
    ['active', { rdma: { state: 'enabled', devices: [{ ...device, portState: 'down' }] } }],
    ['addressed', { rdma: { state: 'enabled', devices: [{ ...device, hasIpv4Gid: false }] } }],
  ];
  for (const [rung, change] of cases) {
    test(`${rung}: ${JSON.stringify(change).slice(0, 60)}`, () => {
      const machine = { ...full, ...change };
      assert.equal(missing(machine), rung);
      // who could never do it is not told to
      assert.equal(rdmaFindings('a', rdmaLadder(machine)).length, rung === 'hardware' ? 0 : 1);
    });
  }
});

describe('recorded Macs', { skip }, () => {
  const recorded = (answers: Partial<Record<MacCommandName, string>>): MachineFacts => {
    const commands = Object.entries(answers).map(([name, path]) => [
      name,
      { text: readFileSync(join(folder, path), 'utf8') },
    ]);
    return factsOfMac({ commands: Object.fromEntries(commands), serviceInfo: {} }, null);
  };

  test('two M5 Max joined by a cable, RDMA disabled on one', () => {
    const machine = recorded({
      thunderbolt: 'SPThunderboltDataType/macbookpro-m5max-rdma-disabled-peer-macbook.json',
      swVers: 'sw_vers/macos-26.6.2.txt',
      rdmaStatus: 'rdma_ctl-status/disabled.txt',
      ibvDevices: 'ibv_devices/rdma-disabled-header-only.txt',
    });
    assert.equal(missing(machine), 'enabled');
  });

  test('its neighbour, with RDMA enabled: the other end does not offer it', () => {
    const machine = recorded({
      thunderbolt: 'SPThunderboltDataType/macbookpro-m5max-rdma-enabled-peer-macbook.json',
      swVers: 'sw_vers/macos-26.6.2.txt',
      rdmaStatus: 'rdma_ctl-status/enabled.txt',
      ibvDevices: 'ibv_devices/macbookpro-m5max-3port.txt',
      ibvDevinfo: 'ibv_devinfo/macbookpro-m5max-3port-all-down.txt',
    });
    assert.equal(missing(machine), 'peer');
  });

  test('Thunderbolt 4 never gets there, whatever macOS lists', () => {
    const machine = recorded({
      thunderbolt: 'SPThunderboltDataType/macstudio-m1ultra-tb4-peer.reconstructed.json',
      swVers: 'sw_vers/macos-26.6.2.txt',
      rdmaStatus: 'rdma_ctl-status/enabled.txt',
      ibvDevices: 'ibv_devices/macstudio-m3ultra-6port.txt',
    });
    assert.equal(missing(machine), 'hardware');
  });
});
