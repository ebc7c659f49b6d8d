// What the public status shows of a machine: the cables, the limit, what is odd; and never more than a few KiB.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { factsOfMac } from '../../agent/facts/mac/assemble.ts';
import { machineStatus } from '../../controller/machine-status.ts';
import { MachineFacts } from '../../protocol/facts.ts';
import { NodeMachine } from '../../protocol/status.ts';
import { studioAnswers } from '../agent/facts/support.ts';

const studio = factsOfMac(studioAnswers(), null);

test('a Mac Studio', () => {
  const shown = NodeMachine.parse(machineStatus(studio));
  assert.deepEqual(
    [shown.os, shown.rdma, shown.thermalLevel, shown.sleepMinutes],
    ['macOS 26.4 (25E100)', 'enabled', 'moderate', 0],
  );
  assert.deepEqual(shown.gpuMemoryLimit, { bytes: 120 * 1024 ** 3, source: 'sysctl' });
  assert.deepEqual(
    shown.interfaces.map(({ name, kind, addresses }) => [name, kind, ...addresses]),
    [
      ['en2', 'thunderbolt', 'fe80::e5:b0ff:fe00:2%en2', '10.75.1.1'],
      ['en3', 'thunderbolt'],
      ['en6', 'thunderbolt'],
      ['en5', 'thunderbolt'],
      ['bridge0', 'thunderbolt-bridge', '169.254.18.7'],
      ['en0', 'ethernet', 'fe80::e5:b0ff:fe00:0%en0', '192.168.7.11'],
      ['en1', 'wifi', '192.168.7.40'],
      ['utun4', 'vpn', '100.100.7.1'],
    ],
  );
  assert.deepEqual(
    shown.thunderboltPorts.map(({ receptacle, linkGbps, peers }) => [
      receptacle,
      linkGbps,
      peers.map((peer) => peer.name),
    ]),
    [
      [1, 80, ['Mac Studio']],
      [2, 40, []],
      [3, 40, ['MacBook Pro']],
      [4, null, []],
    ],
  );
  assert.ok(JSON.stringify(shown).length < 3_000);
});

test('the most that a node may tell is cut down to 7.5 KiB', () => {
  // three bytes a code unit are the most that UTF-8 takes
  const wide = '樹'.repeat(100);
  const zone = 'e'.repeat(32);
  const address = {
    family: 'IPv6' as const,
    address: '2001:0db8:1111:2222:3333:4444:255.255.255.255',
    prefixLength: 128,
    zone,
  };
  const uuid = 'E5B00000-0000-4000-8000-000000000001';
  const peer = {
    domainUuid: uuid,
    deviceName: wide,
    vendor: wide,
    model: wide,
    throughDock: wide,
    offersRdma: true,
  };
  const most = MachineFacts.parse({
    ...studio,
    modelIdentifier: wide,
    modelName: wide,
    os: { name: wide, version: wide, build: wide },
    interfaces: new Array(64).fill({
      ...studio.interfaces[0],
      name: zone,
      kind: 'thunderbolt-bridge',
      up: true,
      linkGbps: 1234.5678,
      addresses: new Array(16).fill(address),
    }),
    thunderboltPorts: new Array(16).fill({
      receptacle: 999,
      portName: wide,
      interface: zone,
      connected: true,
      linkGbps: 1234.5678,
      maxGbps: 1234.5678,
      domainUuid: uuid,
      peers: new Array(8).fill(peer),
    }),
  });
  const shown = machineStatus(most);
  assert.ok(NodeMachine.safeParse(shown).success);
  assert.ok(
    Buffer.byteLength(JSON.stringify(shown)) <= 7.5 * 1024,
    String(Buffer.byteLength(JSON.stringify(shown))),
  );
});
