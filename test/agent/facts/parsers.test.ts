// Single parsers on the oddities of their formats: other versions, other languages, halves and nonsense.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { interfaceKind } from '../../../agent/facts/interface-kind.ts';
import { parseHardware } from '../../../agent/facts/mac/hardware.ts';
import { parseHardwarePorts, thunderboltPort } from '../../../agent/facts/mac/hardware-ports.ts';
import { parseIfconfig } from '../../../agent/facts/mac/ifconfig.ts';
import { parseServiceInfo } from '../../../agent/facts/mac/network-services.ts';
import { parsePowerSettings } from '../../../agent/facts/mac/pmset.ts';
import { parseIbvDevinfo, parseRdmaStatus } from '../../../agent/facts/mac/rdma.ts';
import { parseRoutes } from '../../../agent/facts/mac/routes.ts';
import { parseSysctl } from '../../../agent/facts/mac/sysctl.ts';
import { parseThunderbolt } from '../../../agent/facts/mac/thunderbolt.ts';
import { readJson } from '../../../agent/facts/partial-json.ts';
import { label } from '../../../agent/facts/text.ts';
import { FactNote } from '../../../protocol/facts.ts';
import { fixture, MAC_PARSERS } from './support.ts';

describe('JSON that is cut off or damaged', () => {
  const cases: [text: string, value: unknown][] = [
    ['', undefined],
    ['{"a": [1, {"b": "c"', { a: [1, { b: 'c' }] }],
    ['{"a": 1, "b": tru', { a: 1 }],
    ['{"a": 12', {}], // perhaps 123
    ['[1, 2, x, 4]', [1, 2]],
    ['{"a": "b\\', {}],
    ['{"a": {"b": 1}} trailing', { a: { b: 1 } }],
    ['{"__proto__": {"evil": true}, "a"', JSON.parse('{"__proto__": {"evil": true}}')],
    ['["\\ud800", "a\u0000b"', ['\ud800']],
  ];
  for (const [text, value] of cases) {
    test(JSON.stringify(text), () => {
      const read = readJson(text);
      assert.equal(read.isWhole, false);
      assert.equal(JSON.stringify(read.value), JSON.stringify(value));
    });
  }

  test('what is whole is taken as it is; what is nested too deeply ends there', () => {
    assert.deepEqual(readJson('{"a": [null, true, -1.5e3]}'), {
      value: { a: [null, true, -1500] },
      isWhole: true,
    });
    assert.equal(readJson(`${'['.repeat(200_000)}`).isWhole, false);
    assert.equal(({} as Record<string, unknown>).evil, undefined);
  });
});

describe('hardware', () => {
  const cores = (code: unknown) => {
    const entry = { machine_model: 'Mac99,1', number_processors: code };
    const { value, notes } = parseHardware(JSON.stringify({ SPHardwareDataType: [entry] }));
    return [value.coresPerformance, value.coresEfficiency, notes.length];
  };

  test('cores in all forms, and those that are not known', () => {
    assert.deepEqual(cores('proc 32:24:8'), [24, 8, 0]);
    // an M5 has a fourth number
    assert.deepEqual(cores('proc 10:4:6:0'), [4, 6, 0]);
    assert.deepEqual(cores('proc 18:6:0:12'), [6, 0, 1]);
    // a virtual machine has a bare number
    assert.deepEqual(cores(2), [null, null, 0]);
    assert.deepEqual(cores('proc 8:5:4'), [5, 4, 1]);
    assert.deepEqual(cores('many'), [null, null, 1]);
  });

  test('the text form; in another language nothing is found, and that is said', () => {
    assert.deepEqual(parseHardware(fixture('laptop', 'hardware')), {
      value: {
        modelIdentifier: 'Mac16,5',
        modelName: 'MacBook Pro',
        chip: 'Apple M4 Max',
        coresPerformance: 10,
        coresEfficiency: 4,
        memoryBytes: 36 * 1024 ** 3,
      },
      notes: [],
    });
    const german =
      'Hardware:\n\n    Hardwareübersicht:\n\n      Modellname: Mac Studio\n      Speicher: 64 GB\n';
    const { value, notes } = parseHardware(german);
    assert.equal(value.memoryBytes, null);
    assert.deepEqual(notes, [{ source: 'SPHardwareDataType', text: 'it names no model' }]);
  });
});

describe('Thunderbolt', () => {
  const bus = (fields: Record<string, unknown>) => ({
    _name: 'bus_0',
    domain_uuid_key: 'E5B00000-0000-4000-8000-0000000000F0',
    receptacle_1_tag: {
      current_speed_key: '80 Gb/s',
      receptacle_id_key: '1',
      receptacle_status_key: 'receptacle_connected',
    },
    ...fields,
  });
  const parse = (...buses: unknown[]) => parseThunderbolt(JSON.stringify({ SPThunderboltDataType: buses }));

  test('the text form, with a peer behind a dock, says the same as JSON would', () => {
    const { value, notes } = parseThunderbolt(fixture('laptop', 'thunderbolt'));
    assert.deepEqual(notes, []);
    assert.deepEqual(value, [
      {
        receptacle: 2,
        connected: true,
        linkGbps: 40,
        maxGbps: null,
        domainUuid: 'E5B00000-0000-4000-8000-000000000031',
        peers: [
          {
            domainUuid: 'E5B00000-0000-4000-8000-000000000003',
            deviceName: 'Mac Studio',
            vendor: 'Apple Inc.',
            model: 'Mac16,9',
            throughDock: 'Lattice Dock 4',
            offersRdma: true,
          },
        ],
      },
      {
        receptacle: 1,
        connected: false,
        linkGbps: null,
        maxGbps: 120,
        domainUuid: 'E5B00000-0000-4000-8000-000000000030',
        peers: [],
      },
    ]);
  });

  test('speeds in all forms', () => {
    const speed = (text: unknown, connected = true) => {
      const status = connected ? 'receptacle_connected' : 'receptacle_no_devices_connected';
      const tag = { current_speed_key: text, receptacle_id_key: '1', receptacle_status_key: status };
      const { value, notes } = parse(bus({ receptacle_1_tag: tag }));
      return [value[0]?.linkGbps, value[0]?.maxGbps, notes.length];
    };
    for (const gbps of [20, 40, 80, 120]) assert.deepEqual(speed(`${gbps} Gb/s`), [gbps, null, 0]);
    assert.deepEqual(speed('Up to 120 Gb/s', false), [null, 120, 0]);
    assert.deepEqual(speed('Up to 120 Gb/s'), [null, 120, 0]);
    // as nobody has seen it yet: the slower direction counts, and a note tells of it
    assert.deepEqual(speed('120 Gb/s / 40 Gb/s'), [40, null, 1]);
    assert.deepEqual(speed('warp 9'), [null, null, 1]);
    assert.deepEqual(speed(17), [null, null, 0]);
  });

  test('a Mac without a domain is no peer but a note; a cable that leads back is one', () => {
    const mac = { _name: 'Mac mini', device_name_key: 'Mac16,11' };
    const unnamed = parse(bus({ _items: [mac] }));
    assert.deepEqual(unnamed.value[0]?.peers, []);
    assert.match(unnamed.notes[0]?.text ?? '', /Mac16,11 shows no domain UUID/);
    const own = { ...mac, domain_uuid_key: 'E5B00000-0000-4000-8000-0000000000F0' };
    assert.match(parse(bus({ _items: [own] })).notes[0]?.text ?? '', /port 1 leads back to this machine/);
  });

  test('hubs: several Macs behind one port, nearest first', () => {
    const mac = (n: number) => ({
      _name: `mac-${n}`,
      domain_uuid_key: `E5B00000-0000-4000-8000-00000000001${n}`,
    });
    const hub = { _name: 'hub', _items: [mac(2), { _name: 'second hub', _items: [mac(3)] }] };
    const { value } = parse(bus({ _items: [hub, mac(1)] }));
    assert.deepEqual(
      value[0]?.peers.map(({ deviceName, throughDock }) => [deviceName, throughDock]),
      [
        ['mac-1', null],
        ['mac-2', 'hub'],
        ['mac-3', 'second hub'],
      ],
    );
  });

  test('no Thunderbolt is no fault; no list is one', () => {
    assert.deepEqual(parse(), { value: [], notes: [] });
    assert.equal(parseThunderbolt('{"SPThunderboltDataType": 7}').notes.length, 1);
    assert.equal(parseThunderbolt('nothing to see').notes.length, 1);
  });
});

describe('ports and interfaces', () => {
  test('a Thunderbolt socket is found by its whole number', () => {
    const ports = parseHardwarePorts(
      'Hardware Port: Thunderbolt 12\nDevice: en9\n\nHardware Port: Thunderbolt Bridge\nDevice: bridge0\n' +
        'Hardware Port: Thunderbolt 1\nDevice: en4\nHardware Port: Broken\nDevice: -rf\n',
    ).value;
    assert.equal(thunderboltPort(ports, 1)?.interface, 'en4');
    assert.equal(thunderboltPort(ports, 2), undefined);
    assert.equal(ports.length, 3);
  });

  test('kinds', () => {
    const kind = (name: string, portName: string | null = null, members: 'tb' | 'mixed' | null = null) => {
      const isBridge = name.startsWith('bridge');
      return interfaceKind({ name, portName, hardware: null, isBridge, joinsThunderbolt: members === 'tb' });
    };
    assert.equal(kind('en3', 'Thunderbolt 2'), 'thunderbolt');
    assert.equal(kind('bridge0', 'Thunderbolt Bridge'), 'thunderbolt-bridge');
    assert.equal(kind('bridge0', 'Thunderbolt-Bridge'), 'thunderbolt-bridge');
    assert.equal(kind('bridge1', null, 'tb'), 'thunderbolt-bridge');
    assert.equal(kind('bridge100', null, 'mixed'), 'bridge');
    assert.equal(kind('en8', 'Ethernet Adapter (en8)'), 'ethernet');
    assert.equal(kind('en10', 'USB 10/100/1000 LAN'), 'ethernet');
    assert.equal(kind('en11', 'Studio Display'), 'ethernet');
    assert.equal(kind('en9', 'iPhone USB'), 'other');
    assert.equal(kind('en7'), 'other');
    assert.equal(kind('utun4'), 'vpn');
    assert.equal(kind('feth1234'), 'vpn');
    assert.equal(kind('awdl0'), 'other');
  });

  test('ifconfig: what begins in the middle belongs to nobody; odd addresses are left out', () => {
    const { value, notes } = parseIfconfig(
      '\tinet 10.0.0.9 netmask 0xff000000\n' +
        'en4: flags=8863<UP,RUNNING> mtu 1500\n\tinet 10.0.0.1 netmask 0xff00ff00\n\tinet 999.0.0.1 netmask 0xff000000\n' +
        '\tinet6 fe80::1%en4 prefixlen 999\n\tinet6 2001:db8::4 prefixlen 64 autoconf secured\n\tmedia: 1000baseT <full-duplex>\n' +
        '\tstatus: inactive\n',
    );
    assert.equal(value.length, 1);
    assert.deepEqual(value[0]?.addresses, [
      { family: 'IPv6', address: '2001:db8::4', prefixLength: 64, zone: null },
    ]);
    assert.deepEqual([value[0]?.linkGbps, value[0]?.active], [1, false]);
    assert.equal(notes.length, 4);
  });

  test('services that are set up in unusual ways', () => {
    assert.equal(
      parseServiceInfo('Manually Using DHCP Router Configuration\nIP address: 10.0.0.1\n').value,
      'other',
    );
    const unknown = parseServiceInfo('** Error: The parameters were not valid.\n');
    assert.equal(unknown.value, null);
    assert.match(unknown.notes[0]?.text ?? '', /parameters were not valid/);
  });

  test('routes: abbreviated networks, host routes left out', () => {
    const { value } = parseRoutes(
      'Internet:\nDestination Gateway Flags Netif\n10 10.0.0.1 UGSc en0\n10.1.2/23 link#4 UCS en0\n' +
        '10.9.9.9 10.0.0.1 UGHS en0\n300.1 10.0.0.1 UGSc en0\ndefault 10.0.0.1 GSc en0\n',
    );
    assert.deepEqual(
      value.map((route) => route.destination),
      ['10.0.0.0/8', '10.1.2.0/23'],
    );
  });
});

describe('sysctl', () => {
  test('the GPU limit of macOS 13 is in bytes, of later ones in MB; the last line counts', () => {
    const limit = (text: string) => parseSysctl(text).value.gpuWiredLimitBytes;
    assert.equal(limit('debug.iogpu.wired_limit: 8589934592\n'), 8 * 1024 ** 3);
    assert.equal(limit('iogpu.wired_limit_mb: 8192\n'), 8 * 1024 ** 3);
    assert.equal(limit('iogpu.wired_limit_mb: 0\n'), 0);
    assert.equal(limit('iogpu.wired_limit_mb: 0 -> 8192\n'), 8 * 1024 ** 3);
    assert.equal(limit('hw.memsize: 1\n'), null);
    const absurd = parseSysctl('iogpu.wired_limit_mb: -1\n');
    assert.equal(absurd.value.gpuWiredLimitBytes, null);
    assert.match(absurd.notes[0]?.text ?? '', /wired_limit_mb is no number: -1/);
  });

  test('kinds of cores by their names, where they have some', () => {
    const cores = (text: string) => {
      const { coresPerformance, coresEfficiency } = parseSysctl(text).value;
      return [coresPerformance, coresEfficiency];
    };
    const level = (n: number, count: number, name?: string) =>
      `hw.perflevel${n}.physicalcpu: ${count}\n${name ? `hw.perflevel${n}.name: ${name}\n` : ''}`;
    assert.deepEqual(cores(level(0, 24, 'Performance') + level(1, 8, 'Efficiency')), [24, 8]);
    assert.deepEqual(cores(level(0, 8) + level(1, 2)), [8, 2]);
    assert.deepEqual(cores(level(0, 6, 'Super') + level(1, 12, 'Performance')), [18, null]);
  });
});

describe('power and RDMA', () => {
  test('on battery, what holds on AC power is not what holds now', () => {
    const custom =
      'Battery Power:\n sleep                1\nAC Power:\n sleep                0\n womp                 1\n';
    assert.equal(parsePowerSettings(custom).value?.sleepMinutes, 0);
    assert.equal(parsePowerSettings(`Currently in use:\n sleep 5\n${custom}`).value?.sleepMinutes, 5);
    assert.equal(parsePowerSettings('Battery Power:\n sleep 1\n').value, null);
  });

  test('sleep that is switched off altogether', () => {
    const text =
      'System-wide power settings:\n SleepDisabled\t\t1\nCurrently in use:\n sleep                1\n';
    assert.equal(parsePowerSettings(text).value?.sleepMinutes, 0);
  });

  test('rdma_ctl: only the plain words count', () => {
    assert.equal(parseRdmaStatus('enabled\n').value, 'enabled');
    assert.equal(parseRdmaStatus('RDMA is disabled.\n').value, 'disabled');
    assert.equal(parseRdmaStatus('rdma cannot be enabled on this Mac\n').value, null);
  });

  test('GIDs in both spellings of IPv4; states of other versions', () => {
    const { value } = parseIbvDevinfo(
      'hca_id: rdma_en1\n  state: PORT_ACTIVE (4)\n  GID[  0]: 0000:0000:0000:0000:0000:ffff:0a4b:0101\n' +
        'hca_id: rdma_en2\n  state: PORT_WARPED (9)\n  GID[  0]: nonsense\nhca_id: -x\n  state: PORT_DOWN (1)\n',
    );
    assert.deepEqual(
      value.map(({ name, portState, hasIpv4Gid, gids }) => [name, portState, hasIpv4Gid, gids.length]),
      [
        ['rdma_en1', 'active', true, 1],
        ['rdma_en2', 'other', false, 0],
      ],
    );
  });
});

test('labels: one line, whole characters, nothing that a terminal obeys', () => {
  assert.equal(label('  Jo’s\tMac\u001b[2J\r\n '), 'Jo’s Mac [2J');
  assert.equal(label(' \u0000 '), null);
  assert.equal(label(7), null);
  assert.equal(label('a\ud800b'), 'a\ufffdb');
  assert.equal(label(`${'x'.repeat(99)}😀`), 'x'.repeat(99));
});

test('every parser says something about nothing, and nothing more than a note about binary', () => {
  const binary = Buffer.from(Array.from({ length: 4_096 }, (_, i) => (i * 37) % 256)).toString('latin1');
  for (const [name, parse] of Object.entries(MAC_PARSERS)) {
    for (const text of ['', '\n\n', binary, '(null)', 'sh: command not found']) {
      const { notes } = parse(text);
      for (const entry of notes) FactNote.parse(entry);
      // an empty list is what ibv_devices prints without RDMA, and thermal limits are printed only when there were some
      if (!['ibvDevices', 'ibvDevinfo', 'thermalLimits'].includes(name))
        assert.ok(notes.length > 0, `${name}: ${text.slice(0, 20)}`);
    }
  }
});
