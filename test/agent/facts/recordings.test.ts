// The parsers against outputs that were recorded on real Macs, where this checkout lies beside a folder of them. Elsewhere
// the project's own fixtures must do.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { interfaceKind } from '../../../agent/facts/interface-kind.ts';
import { parseAccelerator } from '../../../agent/facts/mac/accelerator.ts';
import { parseHardware } from '../../../agent/facts/mac/hardware.ts';
import { parseHardwarePorts, thunderboltPort } from '../../../agent/facts/mac/hardware-ports.ts';
import { parseIfconfig } from '../../../agent/facts/mac/ifconfig.ts';
import { macInterfaces } from '../../../agent/facts/mac/interfaces.ts';
import { parseServiceOrder } from '../../../agent/facts/mac/network-services.ts';
import { parsePowerSettings } from '../../../agent/facts/mac/pmset.ts';
import { parseIbvDevices, parseIbvDevinfo, rdmaFacts } from '../../../agent/facts/mac/rdma.ts';
import { parseRoutes } from '../../../agent/facts/mac/routes.ts';
import { parseSysctl } from '../../../agent/facts/mac/sysctl.ts';
import { parseThermalLimits } from '../../../agent/facts/mac/thermal.ts';
import { parseThunderbolt } from '../../../agent/facts/mac/thunderbolt.ts';
import { FactNote } from '../../../protocol/facts.ts';
import { projectDir } from '../../support/paths.ts';
import { LINUX_PARSERS, MAC_PARSERS } from './support.ts';

const folder = join(projectDir, '../shared/macos');
const skip = existsSync(folder) ? false : 'there are no recordings beside this checkout';
const read = (path: string) => readFileSync(join(folder, path), 'utf8');
const GIB = 1024 ** 3;

/** Which parser reads which folder of recordings. */
const PARSER_OF_FOLDER: Record<string, keyof typeof MAC_PARSERS> = {
  SPHardwareDataType: 'hardware',
  SPThunderboltDataType: 'thunderbolt',
  SPNetworkDataType: 'networkProfile',
  'networksetup-listallhardwareports': 'hardwarePorts',
  'networksetup-listnetworkserviceorder': 'serviceOrder',
  'networksetup-getinfo': 'serviceInfo',
  sysctl: 'sysctl',
  sw_vers: 'swVers',
  ifconfig: 'ifconfig',
  'ifconfig-bridge0': 'ifconfig',
  'ifconfig-v': 'ifconfig',
  'rdma_ctl-status': 'rdmaStatus',
  ibv_devices: 'ibvDevices',
  ibv_devinfo: 'ibvDevinfo',
  'ibv_devinfo-v': 'ibvDevinfo',
  'pmset-g': 'powerSettings',
  'pmset-g-custom': 'powerSettingsAll',
  'pmset-g-therm': 'thermalLimits',
  'notifyutil-thermalpressurelevel': 'thermalLevel',
  'ioreg-IOAccelerator': 'accelerator',
  memory_pressure: 'memoryPressure',
  'memory_pressure-Q': 'memoryPressure',
  vm_stat: 'vmStat',
  'netstat-rn': 'routes',
  'netstat-ib': 'traffic',
  'macmon-pipe': 'macmon',
};

/** Recordings that are known to lack something, and so deserve their notes. */
const INCOMPLETE = [
  'SPThunderboltDataType/macbookpro-m4max-two-links.trimmed.json',
  'SPThunderboltDataType/macmini-m4pro-peer-macstudio-m4max.excerpt.txt',
  'SPThunderboltDataType/macstudio-m3ultra-two-links-one-through-dock.trimmed.json',
  'ifconfig-v/en0-wifi-applesilicon.excerpt.txt',
  'pmset-g-therm/warning.modelled.txt',
  'vm_stat/macstudio-m3ultra-512gb.first-lines.txt',
];

describe('recordings', { skip }, () => {
  test('each is read by its parser without a complaint, but for those that lack something', () => {
    const complained: string[] = [];
    for (const [name, parser] of Object.entries(PARSER_OF_FOLDER)) {
      for (const file of readdirSync(join(folder, name))) {
        if (MAC_PARSERS[parser](read(`${name}/${file}`)).notes.length > 0) complained.push(`${name}/${file}`);
      }
    }
    assert.deepEqual(complained.sort(), INCOMPLETE);
  });

  test('every other parser survives every recording', () => {
    const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) =>
      entry.isFile(),
    );
    assert.ok(files.length >= 100);
    for (const { parentPath, name } of files) {
      const text = readFileSync(join(parentPath, name), 'utf8');
      for (const parse of [...Object.values(MAC_PARSERS), ...Object.values(LINUX_PARSERS)]) {
        for (const note of parse(text).notes) FactNote.parse(note);
      }
    }
  });

  test('both ends of a cable name each other', () => {
    const ends = [
      ['macstudio-m3ultra-peer-macbook.json', 'macbookpro-m5max-peer-macstudio.json'],
      ['macbookpro-m5max-rdma-disabled-peer-macbook.json', 'macbookpro-m5max-rdma-enabled-peer-macbook.json'],
    ] as const;
    const linked = (file: string) =>
      parseThunderbolt(read(`SPThunderboltDataType/${file}`)).value.filter((port) => port.peers.length > 0);
    for (const [a, b] of ends) {
      const [portA, ...moreA] = linked(a);
      const [portB, ...moreB] = linked(b);
      assert.deepEqual([moreA, moreB], [[], []]);
      assert.ok(portA?.domainUuid && portB?.domainUuid);
      assert.equal(portA.peers[0]?.domainUuid, portB.domainUuid);
      assert.equal(portB.peers[0]?.domainUuid, portA.domainUuid);
      assert.deepEqual([portA.linkGbps, portB.linkGbps], [80, 80]);
    }
  });

  test('the M3 Ultra has one peer and an SSD, which is none; the peer offers RDMA', () => {
    const ports = parseThunderbolt(read('SPThunderboltDataType/macstudio-m3ultra-peer-macbook.json')).value;
    assert.deepEqual(
      ports.map(({ receptacle, connected, peers }) => [
        receptacle,
        connected,
        peers.map((peer) => peer.model),
      ]),
      [
        [6, false, []],
        [5, false, []],
        [4, true, []],
        [3, false, []],
        [2, true, ['Mac17,7']],
        [1, false, []],
      ],
    );
    assert.equal(ports[4]?.peers[0]?.offersRdma, true);
  });

  test('which end lists the RDMA service tells whether the OTHER end has RDMA on', () => {
    const offers = (file: string) =>
      parseThunderbolt(read(`SPThunderboltDataType/${file}`)).value.flatMap((port) => port.peers)[0]
        ?.offersRdma;
    assert.equal(offers('macbookpro-m5max-rdma-disabled-peer-macbook.json'), true);
    assert.equal(offers('macbookpro-m5max-rdma-enabled-peer-macbook.json'), false);
    // here the service has another key, but the same number
    assert.equal(offers('macmini-m4pro-peer-macstudio-m4max.excerpt.txt'), true);
  });

  test('TB5 Macs on 40 Gb/s cables run at 40; TB4 Macs promise no more', () => {
    const text = parseThunderbolt(
      read('SPThunderboltDataType/macbookpro-two-macmini-peers-40g.trimmed.txt'),
    ).value;
    assert.deepEqual(
      text.map(({ linkGbps, maxGbps, peers }) => [linkGbps, maxGbps, peers[0]?.model]),
      [
        [40, null, 'Mac16,11'],
        [40, null, 'Mac16,11'],
        [null, 120, undefined],
      ],
    );
    const old = parseThunderbolt(
      read('SPThunderboltDataType/macstudio-m1ultra-tb4-peer.reconstructed.json'),
    ).value;
    assert.deepEqual([...new Set(old.map((port) => port.maxGbps ?? port.linkGbps))], [40]);
  });

  test('the same socket has another interface on another Mac', () => {
    const nameOf = (file: string) =>
      thunderboltPort(parseHardwarePorts(read(`networksetup-listallhardwareports/${file}`)).value, 2)
        ?.interface;
    assert.equal(nameOf('macstudio-6port-mac-a.txt'), 'en3');
    assert.equal(nameOf('macbookpro-m5max.txt'), 'en6');
    assert.equal(nameOf('macbookpro-m4max.trimmed.txt'), 'en2');
  });

  test('a bridge of Thunderbolt ports, idle on one Mac and taken apart on another', () => {
    const idle = macInterfaces(
      parseIfconfig(read('ifconfig/macbook-applesilicon-2-tb-ports-idle.txt')).value,
      [
        { portName: 'Thunderbolt 1', interface: 'en1' },
        { portName: 'Thunderbolt 2', interface: 'en2' },
        { portName: 'Wi-Fi', interface: 'en0' },
      ],
      [],
      [],
    );
    const kinds = Object.fromEntries(idle.map(({ name, kind }) => [name, kind]));
    assert.equal(kinds.bridge0, 'thunderbolt-bridge');
    assert.deepEqual(
      [kinds.en1, kinds.en2, kinds.en0, kinds.utun1, kinds.awdl0],
      ['thunderbolt', 'thunderbolt', 'wifi', 'vpn', 'other'],
    );
    const bridge = idle.find((entry) => entry.name === 'bridge0');
    assert.deepEqual([bridge?.members, bridge?.active, bridge?.addresses], [['en1', 'en2'], false, []]);
    const wifi = idle.find((entry) => entry.name === 'en0');
    assert.deepEqual(wifi?.addresses[1], {
      family: 'IPv4',
      address: '10.34.11.15',
      prefixLength: 19,
      zone: null,
    });
    const apart = parseIfconfig(read('ifconfig/macstudio-tb-ports-own-address.modelled.txt')).value;
    const own = apart.find((entry) => entry.name === 'en7');
    assert.deepEqual(
      own?.addresses.map(({ address, zone }) => [address, zone]),
      [
        ['fe80::200:5eff:fe00:5307', 'en7'],
        ['192.0.2.10', null],
      ],
    );
    assert.deepEqual(
      apart.filter((entry) => entry.active).map((entry) => entry.name),
      ['en0', 'en7'],
    );
  });

  test('RDMA: six ports of an M3 Ultra; an IPv4 GID only where the port has an address; none while it is off', () => {
    const listed = parseIbvDevices(read('ibv_devices/macstudio-m3ultra-6port.txt')).value;
    assert.equal(listed.length, 6);
    const described = parseIbvDevinfo(read('ibv_devinfo/macstudio-6port-one-active.modelled.txt')).value;
    const { state, devices } = rdmaFacts('enabled', listed, described);
    assert.equal(state, 'enabled');
    assert.deepEqual(
      devices.filter((device) => device.portState === 'active').map((device) => device.interface),
      ['en7'],
    );
    const hasIpv4 = (file: string) => parseIbvDevinfo(read(`ibv_devinfo-v/${file}`)).value[0]?.hasIpv4Gid;
    assert.equal(hasIpv4('rdma_en7-with-ipv4-gid.modelled.txt'), true);
    assert.equal(hasIpv4('rdma_en6-no-ipv4-gid.modelled.txt'), false);
    const off = parseIbvDevices(read('ibv_devices/rdma-disabled-header-only.txt')).value;
    assert.deepEqual(rdmaFacts('disabled', off, []), { state: 'disabled', devices: [] });
    // tabs became spaces
    assert.equal(parseIbvDevices(read('ibv_devices/macstudio-m3ultra-b-spaces.txt')).value.length, 6);
  });

  test('machines', () => {
    const hardware = (file: string) => {
      const { chip, coresPerformance, coresEfficiency, memoryBytes } = parseHardware(
        read(`SPHardwareDataType/${file}`),
      ).value;
      return [chip, coresPerformance, coresEfficiency, (memoryBytes ?? 0) / GIB];
    };
    assert.deepEqual(hardware('macbookpro-m5.json'), ['Apple M5', 4, 6, 24]);
    assert.deepEqual(hardware('macstudio-m1ultra.txt'), ['Apple M1 Ultra', 16, 4, 64]);
    assert.deepEqual(hardware('vm-m4max.json'), ['Apple M4 Max (Virtual)', null, null, 4]);
    const ultra = parseSysctl(read('sysctl/macstudio-m3ultra-96gb.txt')).value;
    assert.deepEqual(
      [ultra.chip, ultra.coresPerformance, (ultra.memoryBytes ?? 0) / GIB],
      ['Apple M3 Ultra', 20, 96],
    );
    assert.equal(
      parseSysctl(read('sysctl/macmini-m2pro-wired-limit-default.txt')).value.gpuWiredLimitBytes,
      0,
    );
    const gpu = parseAccelerator(read('ioreg-IOAccelerator/m5pro-busy.modelled.txt')).value;
    // the legend repeats the names, and "(driver)" begins alike
    assert.deepEqual(gpu, { coresGpu: 20, gpuUseShare: 0.87, gpuMemoryBytes: 19_327_352_832 });
  });

  test('sleep, heat, services, routes', () => {
    const sleep = (file: string) => parsePowerSettings(read(file)).value?.sleepMinutes;
    assert.equal(sleep('pmset-g/desktop-like-sleep-prevented.txt'), 0);
    assert.equal(sleep('pmset-g/sleep-allowed-10min.trimmed.txt'), 10);
    assert.equal(sleep('pmset-g/sleepdisabled-on.trimmed.txt'), 0);
    const custom = parsePowerSettings(read('pmset-g-custom/macbookpro-m3max.txt')).value;
    assert.deepEqual([custom?.sleepMinutes, custom?.wakeOnNetwork], [1, true]);
    assert.equal(parseThermalLimits(read('pmset-g-therm/with-cpu-power-notify.txt')).value, 1);
    const services = parseServiceOrder(
      read('networksetup-listnetworkserviceorder/macstudio-6port-mac-a-one-disabled.txt'),
    ).value;
    assert.deepEqual(
      services.filter((service) => service.order === null).map((service) => service.interface),
      ['en7'],
    );
    // two interfaces claim 169.254/16: IPv4 alone would reach only one neighbour
    const linkLocal = parseRoutes(read('netstat-rn/macstudio-mac-a.txt')).value.filter(
      (route) => route.destination === '169.254.0.0/16',
    );
    assert.deepEqual(
      linkLocal.map(({ interface: name, isScoped }) => [name, isScoped]),
      [
        ['en1', false],
        ['en7', true],
      ],
    );
  });

  test('every hardware port of every recording has a kind', () => {
    for (const file of readdirSync(join(folder, 'networksetup-listallhardwareports'))) {
      for (const port of parseHardwarePorts(read(`networksetup-listallhardwareports/${file}`)).value) {
        const { interface: name, portName } = port;
        const isBridge = name.startsWith('bridge');
        const kind = interfaceKind({ name, portName, hardware: null, isBridge, joinsThunderbolt: false });
        assert.notEqual(kind, 'other', `${file}: ${portName}`);
      }
    }
  });
});
