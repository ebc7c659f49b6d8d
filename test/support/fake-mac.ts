// A Mac that never was, which holds its settings: it obeys the commands of system changes and answers those that look, in
// the forms of the real ones. What a command should do is written here a second time, from the manuals of macOS.
import { readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { parse } from 'plist';
import { factsOfMac, type MacAnswers } from '../../agent/facts/mac/assemble.ts';
import type { MachineFacts } from '../../protocol/facts.ts';
import type { Ran } from '../../scripts/system-changes/run-argv.ts';

export interface FakePort {
  /** as in `Thunderbolt 1` */
  number: number;
  interface: string;
  /** the UUID of the port at the other end of its cable */
  peer?: string;
  gbps?: number;
  throughDock?: boolean;
}

interface FakeService {
  port: string;
  interface: string;
  isOn: boolean;
  ipv4: 'dhcp' | string;
  ipv6: 'automatic' | 'link-local';
}

export interface FakeMacOptions {
  chip?: string;
  model?: string;
  memoryGib?: number;
  os?: string;
  build?: string;
  rdma?: 'enabled' | 'disabled';
  ports?: readonly FakePort[];
  /** all Thunderbolt ports are in one bridge, as macOS sets it up */
  isBridged?: boolean;
  isWifiOnly?: boolean;
  acPower?: Record<string, number>;
  firewall?: { state: 0 | 1 | 2; apps?: Record<string, boolean> };
  wiredLimitMb?: number;
}

const OK: Ran = { exitCode: 0, output: '' };
const answer = (output: string): Ran => ({ exitCode: 0, output });
const fail = (output: string, exitCode = 1): Ran => ({ exitCode, output });

/** The UUID of a Mac's port. */
export function portUuid(mac: number, port: number): string {
  return `E5B0${String(mac).padStart(4, '0')}-0000-4000-8000-${String(port).padStart(12, '0')}`;
}

export class FakeMac {
  readonly files = new Map<string, string>();
  readonly loaded = new Map<string, string>();
  readonly power: Map<string, number>;
  readonly sysctl: Map<string, number>;
  readonly services = new Map<string, FakeService>();
  readonly firewall: { state: number; apps: Map<string, boolean> };
  bridgeMembers: string[];
  /** every command that was obeyed */
  readonly log: string[][] = [];
  readonly #index: number;
  readonly #options: FakeMacOptions;

  constructor(index: number, options: FakeMacOptions = {}) {
    this.#index = index;
    this.#options = options;
    this.power = new Map(
      Object.entries(
        options.acPower ?? { sleep: 0, disksleep: 0, womp: 1, autorestart: 1, displaysleep: 10 },
      ),
    );
    this.sysctl = new Map([['iogpu.wired_limit_mb', options.wiredLimitMb ?? 0]]);
    const { state = 0, apps = {} } = options.firewall ?? {};
    this.firewall = { state, apps: new Map(Object.entries(apps)) };
    const ports = options.ports ?? [];
    this.bridgeMembers = options.isBridged ? ports.map((port) => port.interface) : [];
    const add = (name: string, port: string, id: string) =>
      this.services.set(name, { port, interface: id, isOn: true, ipv4: 'dhcp', ipv6: 'automatic' });
    if (!options.isWifiOnly) add('Ethernet', 'Ethernet', 'en0');
    add('Wi-Fi', 'Wi-Fi', 'en1');
    if (options.isBridged) add('Thunderbolt Bridge', 'Thunderbolt Bridge', 'bridge0');
    else
      for (const { number, interface: id } of ports)
        add(`Thunderbolt ${number}`, `Thunderbolt ${number}`, id);
  }

  /** All that a change could touch. */
  get state(): unknown {
    const { files, loaded, power, sysctl, services, firewall, bridgeMembers } = this;
    return structuredClone({
      files,
      loaded,
      power,
      sysctl,
      services: [...services].sort(([x], [y]) => x.localeCompare(y)),
      firewall,
      bridgeMembers: [...bridgeMembers].sort(),
    });
  }

  readonly textOf = async (path: string): Promise<string | null> => this.files.get(path) ?? null;

  readonly run = async (argv: readonly string[]): Promise<Ran> => {
    const [file = '', ...args] = argv[0] === 'sudo' ? argv.slice(argv[1] === '-n' ? 2 : 1) : argv;
    const before = this.state;
    const ran = this.#obey(file, args);
    if (!isDeepStrictEqual(before, this.state)) this.log.push([file, ...args]);
    return ran;
  };

  /** As an agent asks: an empty text where the command failed. */
  readonly ask = async (argv: readonly string[]): Promise<string> => {
    const { exitCode, output } = await this.run(argv);
    return exitCode === 0 ? output : '';
  };

  #obey(file: string, args: string[]): Ran {
    switch (file) {
      case '/usr/bin/pmset':
        return this.#pmset(args);
      case '/usr/sbin/sysctl':
        return this.#sysctl(args);
      case '/usr/bin/install':
        this.files.set(args.at(-1) ?? '', readFileSync(args.at(-2) ?? '', 'utf8'));
        return OK;
      case '/bin/rm':
        this.files.delete(args.at(-1) ?? '');
        return OK;
      case '/bin/launchctl':
        return this.#launchctl(args);
      case '/usr/libexec/ApplicationFirewall/socketfilterfw':
        return this.#firewall(args);
      case '/sbin/ifconfig':
        return this.#ifconfig(args);
      case '/usr/sbin/networksetup':
        return this.#networksetup(args);
      default:
        return fail(`${file}: command not found`, 127);
    }
  }

  #pmset([flag, ...values]: string[]): Ran {
    if (flag === '-g') {
      const lines = [...this.power].map(([key, value]) => ` ${key.padEnd(20)} ${value}`);
      return answer(['AC Power:', ...lines, ''].join('\n'));
    }
    if (flag !== '-c' || values.length % 2 !== 0) return fail('Usage: pmset <options>');
    for (let i = 0; i < values.length; i += 2) this.power.set(values[i] ?? '', Number(values[i + 1]));
    return OK;
  }

  #sysctl(args: string[]): Ran {
    const [, key = '', value] = /^([\w.]+)=(\d+)$/.exec(args[0] ?? '') ?? [];
    if (value === undefined) {
      const lines = args
        .filter((name) => this.sysctl.has(name))
        .map((name) => `${name}: ${this.sysctl.get(name)}`);
      return answer(`${lines.join('\n')}\n`);
    }
    if (!this.sysctl.has(key)) return fail(`sysctl: unknown oid '${key}'`);
    const old = this.sysctl.get(key);
    this.sysctl.set(key, Number(value));
    return answer(`${key}: ${old} -> ${value}`);
  }

  #launchctl([verb, domain = '', path = '']: string[]): Ran {
    const label = domain.replace(/^system\/?/, '');
    if (verb === 'print') {
      return this.loaded.has(label)
        ? answer(`system/${label} = {\n\tactive count = 0\n\tstate = not running\n}\n`)
        : fail(`Bad request.\nCould not find service "${label}" in domain for system`, 113);
    }
    if (verb === 'bootout')
      return this.loaded.delete(label) ? OK : fail('Boot-out failed: 3: No such process', 3);
    const text = this.files.get(path);
    if (verb !== 'bootstrap' || text === undefined) return fail('Bootstrap failed: 5: Input/output error', 5);
    const { Label, ProgramArguments = [] } = parse(text) as { Label: string; ProgramArguments?: string[] };
    if (this.loaded.has(Label)) return fail('Bootstrap failed: 37: Operation already in progress', 37);
    this.loaded.set(Label, text);
    // RunAtLoad
    if (ProgramArguments[0] === '/usr/sbin/sysctl') this.#sysctl(ProgramArguments.slice(1));
    return OK;
  }

  #firewall([verb, path = '']: string[]): Ran {
    const { apps } = this.firewall;
    if (verb === '--getglobalstate') {
      const word = this.firewall.state === 0 ? 'disabled' : 'enabled';
      return answer(`Firewall is ${word}. (State = ${this.firewall.state})\n`);
    }
    if (verb === '--listapps') {
      const lines = [...apps].map(([app, may], i) => {
        return `${i + 1} : ${app} \n \t ( ${may ? 'Allow' : 'Block'} incoming connections )`;
      });
      return answer([`Total number of apps = ${apps.size} `, '', ...lines, ''].join('\n'));
    }
    if (verb === '--setblockall') this.firewall.state = path === 'on' ? 2 : 1;
    else if (verb === '--add') apps.set(path, true);
    else if (verb === '--remove') apps.delete(path);
    else if (!apps.has(path)) return fail('The application is not part of the firewall');
    else apps.set(path, verb === '--unblockapp');
    return OK;
  }

  #ifconfig([bridge, ...pairs]: string[]): Ran {
    for (let i = 0; i < pairs.length; i += 2) {
      const member = pairs[i + 1] ?? '';
      const isMember = this.bridgeMembers.includes(member);
      if (bridge !== 'bridge0' || isMember === (pairs[i] === 'addm')) {
        return fail('ifconfig: BRDGDEL: No such file or directory');
      }
      this.bridgeMembers = isMember
        ? this.bridgeMembers.filter((each) => each !== member)
        : [...this.bridgeMembers, member];
    }
    return OK;
  }

  #networksetup([verb, name = '', ...args]: string[]): Ran {
    const service = this.services.get(name);
    if (verb === '-createnetworkservice') {
      const port = this.#options.ports?.find(({ number }) => `Thunderbolt ${number}` === args[0]);
      if (!port || service) return fail('** Error: The hardware port was not found.', 4);
      const fresh = { port: args[0] ?? '', interface: port.interface, isOn: true };
      this.services.set(name, { ...fresh, ipv4: 'dhcp', ipv6: 'automatic' });
      return OK;
    }
    if (!service)
      return fail(
        `${name} is not a recognized network service.\n** Error: The parameters were not valid.`,
        4,
      );
    if (verb === '-removenetworkservice') this.services.delete(name);
    else if (verb === '-setnetworkserviceenabled') service.isOn = args[0] === 'on';
    else if (verb === '-setv6LinkLocal') service.ipv6 = 'link-local';
    else if (verb === '-setmanual') service.ipv4 = args.join(' ');
    else if (verb === '-setdhcp') service.ipv4 = 'dhcp';
    else return fail('** Error: The command was not recognized.', 5);
    return OK;
  }

  /** What an agent on it would tell. */
  facts(): MachineFacts {
    const answers: MacAnswers = { commands: {}, serviceInfo: {} };
    const texts = this.#outputs();
    for (const name of Object.keys(texts) as (keyof typeof texts)[]) {
      const text = texts[name];
      answers.commands[name] = text === undefined ? { text: '', isAbsent: true, problem: 'no' } : { text };
    }
    for (const [name, { ipv4 }] of this.services) {
      const method = ipv4 === 'dhcp' ? 'DHCP' : 'Manual';
      answers.serviceInfo[name] = { text: `${method} Configuration\n` };
    }
    return factsOfMac(answers, null);
  }

  #outputs() {
    const { chip = 'Apple M3 Ultra', model = 'Mac Studio', memoryGib = 512 } = this.#options;
    const { os = '26.2', build = '25C56', rdma, isWifiOnly = false } = this.#options;
    const ports = this.#options.ports ?? [];
    const hardwarePorts = [
      ...(isWifiOnly ? [] : [['Ethernet', 'en0']]),
      ['Wi-Fi', 'en1'],
      ...ports.map(({ number, interface: id }) => [`Thunderbolt ${number}`, id]),
      ...(this.#options.isBridged ? [['Thunderbolt Bridge', 'bridge0']] : []),
    ];
    return {
      hardware: JSON.stringify({
        SPHardwareDataType: [
          {
            chip_type: chip,
            machine_model: 'Mac15,14',
            machine_name: model,
            physical_memory: `${memoryGib} GB`,
          },
        ],
      }),
      sysctl: [
        `hw.memsize: ${memoryGib * 1024 ** 3}`,
        ...[...this.sysctl].map(([key, value]) => `${key}: ${value}`),
        '',
      ].join('\n'),
      swVers: `ProductName:\t\tmacOS\nProductVersion:\t\t${os}\nBuildVersion:\t\t${build}\n`,
      hardwarePorts: hardwarePorts.map(([name, id]) => `\nHardware Port: ${name}\nDevice: ${id}\n`).join(''),
      serviceOrder: [...this.services]
        .map(([name, { port, interface: id, isOn }], i) => {
          return `(${isOn ? i + 1 : '*'}) ${name}\n(Hardware Port: ${port}, Device: ${id})\n`;
        })
        .join('\n'),
      ifconfig: [...this.#ifconfigs(isWifiOnly)].join('\n'),
      powerSettings: ['Currently in use:', ...[...this.power].map(([key, value]) => ` ${key} ${value}`)].join(
        '\n',
      ),
      powerSource: "Now drawing from 'AC Power'\n",
      thunderbolt: JSON.stringify({ SPThunderboltDataType: ports.map((port) => this.#bus(port)) }),
      rdmaStatus: rdma,
      ibvDevices:
        rdma === 'enabled'
          ? ports.map(({ interface: id }) => `    rdma_${id}        \te5b0000000000002`).join('\n')
          : undefined,
      ibvDevinfo: rdma === 'enabled' ? ports.map((port) => this.#device(port)).join('\n') : undefined,
    };
  }

  *#ifconfigs(isWifiOnly: boolean): Generator<string> {
    const up = 'flags=8863<UP,BROADCAST,SMART,RUNNING,SIMPLEX,MULTICAST> mtu 1500';
    const address = (id: string) => `\tinet6 fe80::1%${id} prefixlen 64 scopeid 0x4`;
    if (!isWifiOnly) yield `en0: ${up}\n${address('en0')}\n\tstatus: active\n\ttype: Ethernet`;
    yield `en1: ${up}\n${address('en1')}\n\tstatus: ${isWifiOnly ? 'active' : 'inactive'}\n\ttype: Wi-Fi`;
    for (const { interface: id, peer } of this.#options.ports ?? []) {
      const isServed = [...this.services.values()].some((each) => each.interface === id && each.isOn);
      const has = isServed && !this.bridgeMembers.includes(id) ? `\n${address(id)}` : '';
      yield `${id}: ${up}${has}\n\tstatus: ${peer === undefined ? 'inactive' : 'active'}`;
    }
    if (!this.#options.isBridged) return;
    yield `bridge0: ${up}\n\tConfiguration:\n\t\tid 0:0:0:0:0:0 priority 0`;
    for (const member of this.bridgeMembers) yield `\tmember: ${member} flags=3<LEARNING,DISCOVER>`;
    yield `\tstatus: ${this.bridgeMembers.length > 0 ? 'active' : 'inactive'}`;
  }

  #bus({ number, peer, gbps = 80, throughDock }: FakePort): Record<string, unknown> {
    const mac = { _name: 'Mac Studio', device_name_key: 'Mac15,14', domain_uuid_key: peer };
    const dock = { _name: 'Lattice Dock', device_name_key: 'Lattice Dock', _items: [mac] };
    const isUsed = peer !== undefined;
    return {
      _name: `thunderboltusb4_bus_${number}`,
      domain_uuid_key: portUuid(this.#index, number),
      receptacle_1_tag: {
        current_speed_key: isUsed ? `${gbps} Gb/s` : 'Up to 120 Gb/s',
        receptacle_id_key: String(number),
        receptacle_status_key: isUsed ? 'receptacle_connected' : 'receptacle_no_devices_connected',
      },
      ...(isUsed && { _items: [throughDock ? dock : mac] }),
    };
  }

  #device({ interface: id, peer }: FakePort): string {
    const service = [...this.services.values()].find((each) => each.interface === id && each.isOn);
    const ipv4 =
      service && service.ipv4 !== 'dhcp' ? `\t\t\tGID[  2]:\t\t::ffff:${service.ipv4.split(' ')[0]}\n` : '';
    const state = peer === undefined ? 'PORT_DOWN (1)' : 'PORT_ACTIVE (4)';
    return `hca_id:\trdma_${id}\n\t\tport:\t1\n\t\t\tstate:\t\t\t${state}\n${ipv4}`;
  }
}
