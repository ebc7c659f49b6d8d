// The conditions of RDMA, on the recorded outputs of a Mac Studio and on a second one at the other end of its cable.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { factsOfMac } from '../../../agent/facts/mac/assemble.ts';
import { jacclDevices } from '../../../controller/mlx-distributed/jaccl.ts';
import { rankLaunch, rdmaFindings } from '../../../controller/mlx-distributed/ranks.ts';
import type { MachineFacts, RdmaDevice, ThunderboltPort } from '../../../protocol/facts.ts';
import { RankLaunch } from '../../../protocol/ranks.ts';
import { studioAnswers } from '../../agent/facts/support.ts';

const recorded = factsOfMac(studioAnswers(), null);

/** The recorded Mac's port that has a Mac at its other end. */
function cabled(machine: MachineFacts): ThunderboltPort {
  const port = machine.thunderboltPorts.find(({ peers }) => peers.some(({ throughDock }) => !throughDock));
  assert.ok(port, 'the recorded Mac has a cable to another one');
  return port;
}

/** The recorded Mac with all that RDMA takes, and the one at the other end, whose port is en9. */
function pair(): [MachineFacts, MachineFacts] {
  const a = structuredClone(recorded);
  const port = cabled(a);
  port.linkGbps = 80;
  const b = structuredClone(a);
  const [peer] = port.peers;
  assert.ok(peer && port.domainUuid && port.interface);
  b.thunderboltPorts = [
    {
      ...port,
      interface: 'en9',
      domainUuid: peer.domainUuid,
      peers: [{ ...peer, domainUuid: port.domainUuid }],
    },
  ];
  for (const [machine, name, host] of [
    [a, port.interface, '169.254.7.1'],
    [b, 'en9', '169.254.7.2'],
  ] as const) {
    machine.rdma = {
      state: 'enabled',
      devices: [{ name: `rdma_${name}`, interface: name, portState: 'active', gids: [], hasIpv4Gid: true }],
    };
    const [some] = machine.interfaces;
    assert.ok(some);
    const addresses = [{ family: 'IPv4' as const, address: host, prefixLength: 16, zone: null }];
    machine.interfaces = [
      ...machine.interfaces.filter((other) => other.name !== name),
      { ...some, name, kind: 'thunderbolt', addresses },
    ];
  }
  return [a, b];
}

const named = ([a, b]: [MachineFacts, MachineFacts]) => [
  { name: 'studio-1', machine: a },
  { name: 'studio-2', machine: b },
];

describe('devices between two Macs', () => {
  test('each rank names its own device towards the other', () => {
    const [a, b] = pair();
    const { devices, findings } = jacclDevices(named([a, b]));
    assert.deepEqual(findings, []);
    assert.deepEqual(devices, [
      [null, `rdma_${cabled(a).interface}`],
      ['rdma_en9', null],
    ]);
  });

  type Spoil = (a: MachineFacts, b: MachineFacts) => void;
  const setState =
    (index: 0 | 1, state: MachineFacts['rdma']['state']): Spoil =>
    (...machines) => {
      machines[index].rdma.state = state;
    };
  const device = (machine: MachineFacts) => machine.rdma.devices[0] as RdmaDevice;
  const lacking: [string, Spoil, RegExp, RegExp][] = [
    ['RDMA off', setState(1, 'disabled'), /switched off on studio-2/, /rdma_ctl enable/],
    ['an older macOS', setState(0, 'unavailable'), /studio-1 has no RDMA/, /26\.2/],
    ['no device after a switch', setState(0, 'enabled-no-device'), /no device/, /Restart/],
    [
      'Thunderbolt 4',
      (_, b) => {
        (b.thunderboltPorts[0] as ThunderboltPort).linkGbps = 40;
      },
      /40 Gb\/s/,
      /Thunderbolt 5 cable/,
    ],
    [
      'no cable',
      (a, b) => {
        cabled(a).peers = [];
        b.thunderboltPorts = [];
      },
      /no Thunderbolt cable leads/,
      /connect studio-1 and studio-2/,
    ],
    [
      'a dock between',
      (a, b) => {
        for (const port of [cabled(a), b.thunderboltPorts[0] as ThunderboltPort])
          for (const peer of port.peers) peer.throughDock = 'a dock';
      },
      /no Thunderbolt cable leads/,
      /connect studio-1 and studio-2/,
    ],
    [
      'a port that is down',
      (a) => {
        device(a).portState = 'down';
      },
      /is down, not active/,
      /ibv_devinfo/,
    ],
    [
      'no IPv4 address',
      (_, b) => {
        device(b).hasIpv4Gid = false;
      },
      /rdma_en9 of studio-2 has no IPv4/,
      /en9/,
    ],
  ];
  for (const [what, spoil, text, fix] of lacking) {
    test(`${what}: a finding, and no devices`, () => {
      const machines = pair();
      spoil(...machines);
      const { devices, findings } = jacclDevices(named(machines));
      assert.equal(devices, undefined);
      assert.equal(findings.length, 1);
      assert.match(findings[0]?.text ?? '', text);
      assert.match(findings[0]?.fix ?? '', fix);
    });
  }

  test('the Mac as it was recorded lacks something, and says what', () => {
    const { devices, findings } = jacclDevices([
      { name: 'a', machine: recorded },
      { name: 'b', machine: recorded },
    ]);
    assert.equal(devices, undefined);
    assert.ok(findings.length > 0);
  });

  test('three Macs need three cables: the pair without one is named', () => {
    const [a, b] = pair();
    const { findings } = jacclDevices([...named([a, b]), { name: 'studio-3', machine: b }]);
    assert.ok(
      findings.length > 0,
      'a third Mac with the same port numbers has no cable of its own to the second',
    );
    assert.match(findings.map(({ text }) => text).join('\n'), /studio-3/);
  });
});

describe('the launch', () => {
  const [a, b] = pair();
  const stages = [
    { name: 'studio-2', machine: b, host: '192.168.1.22', hop: { host: '169.254.7.2', port: 6000 } },
    { name: 'studio-1', machine: a, host: '192.168.1.21', hop: { host: '169.254.7.1', port: 5000 } },
  ];

  test('by RDMA where it can: rank 0, the last stage, coordinates at the address that everybody reaches', () => {
    const launch = RankLaunch.parse(rankLaunch(stages, true));
    assert.equal(launch.backend, 'jaccl');
    assert.equal(launch.backend === 'jaccl' && launch.coordinator, '192.168.1.21:5000');
  });

  test('addresses as a socket of both families tells them are plain ones for MLX', () => {
    const mapped = stages.map((stage) => ({
      ...stage,
      machine: undefined,
      hop: { ...stage.hop, host: `::ffff:${stage.hop.host}` },
    }));
    const launch = RankLaunch.parse(rankLaunch(mapped, true));
    assert.deepEqual(launch.backend === 'ring' && launch.hosts, [['169.254.7.1:5000'], ['169.254.7.2:6000']]);
  });

  test('what keeps Macs from RDMA is told; of other machines nothing is', () => {
    const off = stages.map((stage) => ({
      ...stage,
      machine: { ...stage.machine, rdma: { state: 'disabled' as const, devices: [] } },
    }));
    assert.equal(rdmaFindings(off).length, 2);
    assert.deepEqual(rdmaFindings(stages), []);
    const linux = off.map((stage) => ({ ...stage, machine: { ...stage.machine, thunderboltPorts: [] } }));
    assert.deepEqual(rdmaFindings(linux), []);
  });

  test('by the ring after RDMA has failed, or where a Mac has not told what it is', () => {
    const ring = { backend: 'ring', hosts: [['169.254.7.1:5000'], ['169.254.7.2:6000']] };
    assert.deepEqual(rankLaunch(stages, false), ring);
    const untold = stages.map((stage) => ({ ...stage, machine: undefined }));
    assert.deepEqual(rankLaunch(untold, true), ring);
  });
});
