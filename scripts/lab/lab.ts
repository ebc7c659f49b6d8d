// A lab of "Macs" on one Linux machine: a network namespace each, joined by a switch and by cables with a bandwidth. The
// namespaces have no names: each is held by a process that ends with this one, so that nothing outlives a crash.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { execa } from 'execa';

/** Why this machine cannot have a lab, or false. */
export async function noLab(): Promise<string | false> {
  if (process.platform !== 'linux') return 'network namespaces are a thing of Linux';
  try {
    const lab = new Lab();
    try {
      const [a, b] = [await lab.addMac('a'), await lab.addMac('b')];
      await lab.cable({ mac: a, interface: 'en0' }, { mac: b, interface: 'en0' }, 1);
    } finally {
      await lab.remove();
    }
    return false;
  } catch (error) {
    const reason = error instanceof Error ? error.message.split('\n')[0] : String(error);
    return `no network namespaces here (root, or unprivileged user namespaces, with ip and tc, are needed): ${reason}`;
  }
}

/** Why this lab cannot lose packets, or false. */
export async function noLoss(): Promise<string | false> {
  const { failed } = await execa('nft', ['--version'], { reject: false, timeout: COMMAND_TIMEOUT_MS });
  return failed && 'nft is needed: `apt-get install nftables`';
}

/** Making a namespace, or one command in it. */
const COMMAND_TIMEOUT_MS = 10_000;

export interface Mac {
  name: string;
  /** the process that holds its namespaces */
  pid: number;
}

export interface Plug {
  mac: Mac;
  interface: string;
}

export class Lab {
  readonly #holders: ChildProcess[] = [];
  /** how to enter the user namespace of the lab; nothing for root */
  #asRoot: string[] = [];
  #switch: Mac | undefined;

  /** A machine with nothing but a loopback interface, and its own view of /sys. */
  async addMac(name: string): Promise<Mac> {
    const isFirst = this.#holders.length === 0;
    const needsUser = process.getuid?.() !== 0;
    const unshare = ['unshare', ...(needsUser && isFirst ? ['-Ur'] : []), '-n', '-m'];
    // `cat` ends when this process is gone, and with it the namespaces, their links and what they join
    const script = 'mount -t sysfs none /sys && ip link set lo up && echo ready && exec cat';
    const [file = '', ...args] = [...this.#asRoot, ...unshare, 'sh', '-c', script];
    const holder = spawn(file, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    this.#holders.push(holder);
    let stderr = '';
    holder.stderr.on('data', (text) => {
      stderr += text;
    });
    const ready = once(holder.stdout, 'data', { signal: AbortSignal.timeout(COMMAND_TIMEOUT_MS) });
    const ended = once(holder, 'exit').then(() =>
      Promise.reject(new Error(stderr.trim() || 'unshare failed')),
    );
    ended.catch(() => undefined);
    await Promise.race([ready, ended]);
    const pid = holder.pid as number;
    if (needsUser && isFirst) this.#asRoot = ['nsenter', '-t', String(pid), '-U', '--preserve-credentials'];
    return { name, pid };
  }

  /** The command line that runs something on a Mac. Paths are to be absolute. */
  on({ pid }: Mac, ...command: readonly string[]): [file: string, ...args: string[]] {
    const [file = 'nsenter', ...user] = this.#asRoot;
    const enter = user.length > 0 ? ['--preserve-credentials', '-U'] : [];
    return [file, '-t', String(pid), ...enter, '-n', '-m', '--', ...command];
  }

  /** Runs something to its end. @throws Error with what it printed when it fails */
  async run(mac: Mac, ...command: readonly string[]): Promise<string> {
    const [file, ...args] = this.on(mac, ...command);
    const { stdout } = await execa(file, args, { timeout: COMMAND_TIMEOUT_MS });
    return stdout;
  }

  /** A cable between two Macs that carries so much each way. */
  async cable(a: Plug, b: Plug, gbps: number): Promise<void> {
    const peer = ['peer', 'name', b.interface, 'netns', String(b.mac.pid)];
    await this.run(a.mac, 'ip', 'link', 'add', a.interface, 'type', 'veth', ...peer);
    for (const { mac, interface: name } of [a, b]) {
      // addresses are given by hand: the kernel's own take two seconds until they can be used
      await this.run(mac, 'ip', 'link', 'set', name, 'addrgenmode', 'none');
      await this.run(mac, 'ip', 'link', 'set', name, 'up');
      await this.#limit(mac, name, gbps);
    }
  }

  /** Joins a Mac to the lab's only switch. */
  async joinSwitch({ mac, interface: name }: Plug, gbps: number): Promise<void> {
    if (!this.#switch) {
      this.#switch = await this.addMac('switch');
      await this.run(this.#switch, 'ip', 'link', 'add', 'br0', 'type', 'bridge', 'mcast_snooping', '0');
      await this.run(this.#switch, 'ip', 'link', 'set', 'br0', 'up');
    }
    const port = `p${mac.pid}`;
    await this.cable({ mac, interface: name }, { mac: this.#switch, interface: port }, gbps);
    await this.run(this.#switch, 'ip', 'link', 'set', port, 'master', 'br0');
  }

  async addAddress({ mac, interface: name }: Plug, cidr: string): Promise<void> {
    const how = cidr.includes(':') ? ['nodad'] : ['brd', '+'];
    await this.run(mac, 'ip', 'addr', 'add', cidr, ...how, 'dev', name);
  }

  /** Pulls a cable out of a Mac, or plugs it in again: to the kernels at both ends the link has no carrier. */
  async setCable({ mac, interface: name }: Plug, isIn: boolean): Promise<void> {
    await this.run(mac, 'ip', 'link', 'set', name, isIn ? 'up' : 'down');
  }

  /** From now on a link carries so much out of a Mac. */
  async setGbps({ mac, interface: name }: Plug, gbps: number): Promise<void> {
    await this.run(mac, 'tc', 'qdisc', 'replace', 'dev', name, 'root', 'tbf', ...rate(gbps));
  }

  /** From now on so many of a hundred packets that come to a Mac by this interface are lost. */
  async setLoss({ mac, interface: name }: Plug, percent: number): Promise<void> {
    const table = ['netdev', `loss-${name}`];
    await this.run(mac, 'nft', 'add', 'table', ...table);
    await this.run(mac, 'nft', 'delete', 'table', ...table);
    if (percent === 0) return;
    const hook = `{ type filter hook ingress device "${name}" priority 0; }`;
    await this.run(mac, 'nft', 'add', 'table', ...table);
    await this.run(mac, 'nft', 'add', 'chain', ...table, 'in', hook);
    const drop = ['numgen', 'random', 'mod', '100', 'lt', String(percent), 'drop'];
    await this.run(mac, 'nft', 'add', 'rule', ...table, 'in', ...drop);
  }

  /** Ends everything. Processes that still run on a Mac keep its namespace until they end. */
  async remove(): Promise<void> {
    const ended = this.#holders.map((holder) =>
      holder.exitCode === null && holder.signalCode === null ? once(holder, 'exit') : undefined,
    );
    for (const holder of this.#holders) holder.kill('SIGKILL');
    await Promise.all(ended);
  }

  async #limit(mac: Mac, name: string, gbps: number): Promise<void> {
    await this.run(mac, 'tc', 'qdisc', 'add', 'dev', name, 'root', 'tbf', ...rate(gbps));
  }
}

/** The bucket holds two milliseconds; what is smaller than a few segments would throttle more than is asked. */
function rate(gbps: number): string[] {
  const burstBytes = Math.max(262_144, Math.round((gbps * 1e9 * 0.002) / 8));
  return ['rate', `${Math.round(gbps * 1000)}mbit`, 'burst', String(burstBytes), 'latency', '20ms'];
}
