// The outputs of a whole Mac become one record, value by value; and each of them may be missing.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { factsOfMac } from '../../../agent/facts/mac/assemble.ts';
import { MachineFacts, type NetworkInterface } from '../../../protocol/facts.ts';
import { fixture, macCommandNames, studioAnswers } from './support.ts';

const ethernet = (name: string, portName: string): NetworkInterface => ({
  name,
  kind: 'ethernet',
  portName,
  mtu: 1500,
  up: true,
  active: true,
  addresses: [],
  members: [],
  media: 'autoselect <full-duplex>',
  linkGbps: null,
  service: null,
});
const thunderbolt = (name: string, portName: string): NetworkInterface => {
  return { ...ethernet(name, portName), kind: 'thunderbolt' };
};
const v4 = (address: string, prefixLength: number) => {
  return { family: 'IPv4' as const, address, prefixLength, zone: null };
};
const linkLocal = (address: string, zone: string) => {
  return { family: 'IPv6' as const, address, prefixLength: 64, zone };
};

describe('a Mac Studio with a cable to another one, a drive, and a laptop behind a dock', () => {
  const facts = MachineFacts.parse(factsOfMac(studioAnswers(), null));

  test('model, chip, memory, system', () => {
    const { interfaces: _i, routes: _r, thunderboltPorts: _t, rdma: _d, load: _l, ...rest } = facts;
    assert.deepEqual(rest, {
      modelIdentifier: 'Mac16,9',
      modelName: 'Mac Studio',
      chip: 'Apple M4 Max',
      coresPerformance: 12,
      coresEfficiency: 4,
      coresGpu: 40,
      memoryBytes: 128 * 1024 ** 3,
      gpuMemoryLimit: {
        bytes: 120 * 1024 ** 3,
        source: 'sysctl',
        note: 'iogpu.wired_limit_mb is set; macOS itself forgets it at a restart',
      },
      os: { name: 'macOS', version: '26.4', build: '25E100' },
      power: {
        source: 'ac',
        sleepMinutes: 0,
        diskSleepMinutes: 0,
        wakeOnNetwork: true,
        restartAfterPowerLoss: true,
        powerMode: 2,
      },
      thermal: { level: 'moderate', cpuSpeedShare: 0.9 },
      notes: [],
    });
  });

  test('Thunderbolt: a peer, a drive that is none, a peer behind a dock, nothing; interfaces by name alone', () => {
    const port = (receptacle: number, name: string) => ({
      receptacle,
      portName: `Thunderbolt ${receptacle}`,
      interface: name,
      connected: true,
      linkGbps: 40,
      maxGbps: null,
      domainUuid: `E5B00000-0000-4000-8000-00000000000${receptacle}`,
      peers: [],
    });
    const peer = { vendor: 'Apple Inc.', throughDock: null, offersRdma: true };
    assert.deepEqual(facts.thunderboltPorts, [
      {
        ...port(1, 'en2'),
        linkGbps: 80,
        peers: [
          {
            ...peer,
            domainUuid: 'E5B00000-0000-4000-8000-000000000011',
            deviceName: 'Mac Studio',
            model: 'Mac16,9',
          },
        ],
      },
      port(2, 'en3'),
      {
        // the third socket is en6 here: nothing may count
        ...port(3, 'en6'),
        peers: [
          {
            ...peer,
            domainUuid: 'E5B00000-0000-4000-8000-000000000031',
            deviceName: 'MacBook Pro',
            model: 'Mac16,5',
            throughDock: 'Lattice Dock 4',
            offersRdma: false,
          },
        ],
      },
      { ...port(4, 'en5'), connected: false, linkGbps: null, maxGbps: 120 },
    ]);
  });

  test('interfaces: kind, addresses with zones, bridge members, speed, service', () => {
    const { lo0: loopback, ...others } = Object.fromEntries(
      facts.interfaces.map((entry) => [entry.name, entry]),
    );
    assert.equal(loopback?.kind, 'loopback');
    const off = { up: false, active: null, media: null, mtu: 1280, portName: null };
    assert.deepEqual(others, {
      gif0: { ...ethernet('gif0', ''), ...off, kind: 'other' },
      en0: {
        ...ethernet('en0', 'Ethernet'),
        mtu: 9000,
        addresses: [linkLocal('fe80::e5:b0ff:fe00:0', 'en0'), v4('192.168.7.11', 24)],
        media: 'autoselect (10Gbase-T <full-duplex>)',
        linkGbps: 10,
        service: { name: 'Ethernet', order: 1, ipv4: 'dhcp' },
      },
      en1: {
        ...ethernet('en1', 'Wi-Fi'),
        kind: 'wifi',
        addresses: [v4('192.168.7.40', 24)],
        media: 'autoselect',
        service: { name: 'Wi-Fi', order: 2, ipv4: 'dhcp' },
      },
      en2: {
        ...thunderbolt('en2', 'Thunderbolt 1'),
        addresses: [linkLocal('fe80::e5:b0ff:fe00:2', 'en2'), v4('10.75.1.1', 30)],
        service: { name: 'Cable to studio-2', order: 3, ipv4: 'manual' },
      },
      en3: { ...thunderbolt('en3', 'Thunderbolt 2'), active: false },
      en6: thunderbolt('en6', 'Thunderbolt 3'),
      en5: { ...thunderbolt('en5', 'Thunderbolt 4'), active: false },
      bridge0: {
        ...ethernet('bridge0', 'Thunderbolt Bridge'),
        kind: 'thunderbolt-bridge',
        addresses: [v4('169.254.18.7', 16)],
        members: ['en3', 'en6', 'en5'],
        media: '<unknown type>',
        // a disabled service has no place in the order
        service: { name: 'Thunderbolt Bridge', order: null, ipv4: null },
      },
      awdl0: {
        ...ethernet('awdl0', ''),
        kind: 'other',
        portName: null,
        addresses: [linkLocal('fe80::e5:b0ff:fe00:aa', 'awdl0')],
        media: 'autoselect',
      },
      utun4: {
        ...ethernet('utun4', ''),
        ...off,
        up: true,
        kind: 'vpn',
        addresses: [v4('100.100.7.1', 32)],
      },
    });
  });

  test('routes to networks, with the interface that carries them', () => {
    const lines = facts.routes.map(({ family, destination, gateway, interface: name, isScoped }) => {
      return `${family} ${destination} ${gateway ?? 'direct'} ${name}${isScoped ? ' scoped' : ''}`;
    });
    assert.deepEqual(lines, [
      'IPv4 default 192.168.7.1 en0',
      'IPv4 default 192.168.7.1 en1 scoped',
      'IPv4 10.75.1.0/30 direct en2',
      'IPv4 127.0.0.0/8 127.0.0.1 lo0',
      'IPv4 169.254.0.0/16 direct bridge0',
      'IPv4 192.168.7.0/24 direct en0',
      'IPv6 default fe80::%utun4 utun4 scoped',
      'IPv6 fe80::%en2/64 direct en2 scoped',
    ]);
  });

  test('RDMA: only the port with an address of its own has an IPv4 GID', () => {
    assert.equal(facts.rdma.state, 'enabled');
    assert.deepEqual(
      facts.rdma.devices.map(({ name, interface: of, portState, gids, hasIpv4Gid }) => {
        return [name, of, portState, gids.length, hasIpv4Gid];
      }),
      [
        ['rdma_en2', 'en2', 'active', 3, true],
        ['rdma_en3', 'en3', 'down', 1, false],
        ['rdma_en6', 'en6', 'down', 0, false],
        ['rdma_en5', 'en5', 'down', 0, false],
      ],
    );
  });

  test('load', () => {
    assert.deepEqual(facts.load, {
      gpuUseShare: 0.95,
      gpuMemoryBytes: 81_604_378_624,
      memoryPressure: 'warning',
      memoryFreeShare: 0.31,
      // 100,000 free, 250,000 of files, 50,000 expendable
      memoryAvailableBytes: 400_000 * 16_384,
      watts: 118.5,
      traffic: [
        { interface: 'lo0', receivedBytes: 9_000_000, sentBytes: 9_000_000 },
        { interface: 'en0', receivedBytes: 700_000_001, sentBytes: 60_000_002 },
        { interface: 'en2', receivedBytes: 8_000_000_003, sentBytes: 9_000_000_004 },
        { interface: 'gif0', receivedBytes: 0, sentBytes: 0 },
      ],
    });
  });
});

describe('what is missing is null, and a note says why', () => {
  test('no answer at all', () => {
    const facts = MachineFacts.parse(factsOfMac({ commands: {}, serviceInfo: {} }, null));
    assert.equal(facts.chip, null);
    assert.equal(facts.gpuMemoryLimit, null);
    assert.deepEqual(facts.interfaces, []);
    assert.equal(facts.rdma.state, 'unavailable');
    assert.equal(facts.power, null);
  });

  for (const name of macCommandNames) {
    test(`without ${name} the rest is told`, () => {
      const answers = studioAnswers();
      answers.commands[name] = { text: '', problem: 'it did not end within 5 s' };
      const facts = MachineFacts.parse(factsOfMac(answers, null));
      // `pmset -g custom` is looked at only where `pmset -g` says nothing
      const texts = facts.notes.map((note) => note.text);
      assert.deepEqual(texts, name === 'powerSettingsAll' ? [] : ['it did not end within 5 s']);
      assert.equal(facts.modelIdentifier, 'Mac16,9');
      assert.equal(facts.memoryBytes, 128 * 1024 ** 3);
    });
  }

  test('macOS before 26.2 has no rdma_ctl, and few have macmon: not worth a note', () => {
    const answers = studioAnswers();
    for (const name of ['rdmaStatus', 'ibvDevices', 'ibvDevinfo', 'macmon'] as const) {
      answers.commands[name] = { text: '', problem: 'there is no such command here', isAbsent: true };
    }
    const { rdma, load, notes } = factsOfMac(answers, null);
    assert.deepEqual([rdma, load.watts, notes], [{ state: 'unavailable', devices: [] }, null, []]);
  });

  test('RDMA enabled without devices, and disabled', () => {
    const answers = studioAnswers();
    answers.commands.ibvDevices = { text: '    device          \t   node GUID\n' };
    answers.commands.ibvDevinfo = { text: '' };
    assert.equal(factsOfMac(answers, null).rdma.state, 'enabled-no-device');
    answers.commands.rdmaStatus = { text: 'disabled\n' };
    assert.equal(factsOfMac(answers, null).rdma.state, 'disabled');
  });

  test('an output that was cut off counts as far as it goes', () => {
    const answers = studioAnswers();
    const text = fixture('studio', 'thunderbolt');
    // within the second bus, the one with the dock
    const cut = text.slice(0, text.indexOf('"mode_key" : "usb_four"'));
    answers.commands.thunderbolt = { text: cut, problem: 'it did not end within 20 s' };
    const { thunderboltPorts, notes } = factsOfMac(answers, null);
    assert.deepEqual(
      thunderboltPorts.map(({ receptacle, connected, peers }) => [receptacle, connected, peers[0]?.model]),
      [
        [4, false, undefined],
        [null, true, 'Mac16,5'],
      ],
    );
    assert.equal(notes.length, 3);
  });
});

test('a GPU limit that was measured beats what was set, and that beats the guess', () => {
  const GIB = 1024 ** 3;
  const limit = (wiredMib: number, memoryGib: number, measuredBytes: number | null = null) => {
    const answers = studioAnswers();
    answers.commands.sysctl = { text: `hw.memsize: ${memoryGib * GIB}\niogpu.wired_limit_mb: ${wiredMib}\n` };
    const { gpuMemoryLimit, notes } = factsOfMac(answers, measuredBytes);
    return [gpuMemoryLimit?.bytes, gpuMemoryLimit?.source, notes.length];
  };
  assert.deepEqual(limit(114_688, 128, 111 * GIB), [111 * GIB, 'measured', 0]);
  assert.deepEqual(limit(114_688, 128), [112 * GIB, 'sysctl', 0]);
  // zero is the default, not zero bytes
  assert.deepEqual(limit(0, 128), [96 * GIB, 'estimate', 0]);
  assert.deepEqual(limit(0, 36), [Math.floor(36 * GIB * 0.66), 'estimate', 0]);
  // more than there is
  assert.deepEqual(limit(999_999, 128), [96 * GIB, 'estimate', 1]);
});
