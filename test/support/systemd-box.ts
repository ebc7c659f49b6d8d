// Debian's systemd as process 1 of a box (systemd-box.sh): a machine to install services on, of which nothing is left.
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { projectDir } from './paths.ts';
import { until } from './until.ts';

const SYSTEMD = '/usr/lib/systemd/systemd';
/** In a container systemd reads its own command line as if it were the kernel's. */
const INIT = `${SYSTEMD} --system --unit=multi-user.target systemd.unified_cgroup_hierarchy=1 --log-target=journal --show-status=false`;
const SCRIPT = join(projectDir, 'test/support/systemd-box.sh');
const COMMAND_TIMEOUT_MS = 60_000;
const PROBE_TIMEOUT_MS = 10_000;

export interface Answer {
  code: number | undefined;
  stdout: string;
  stderr: string;
}

/** Why there can be no box here, or false. */
export async function noBox(): Promise<string | false> {
  if (process.platform !== 'linux') return 'systemd is a thing of Linux';
  if (process.getuid?.() !== 0) return 'a box for systemd needs root';
  if (!existsSync(SYSTEMD)) return 'there is no systemd here: `apt-get install systemd`';
  const folder = mkdtempSync(join(tmpdir(), 'espalier-box-'));
  try {
    const [file, args] = boxCommand(folder, '/usr/bin/true');
    const { failed, stderr } = await execa(file, args, { reject: false, timeout: PROBE_TIMEOUT_MS });
    return (
      failed && `namespaces, an overlay or control groups cannot be had here: ${stderr.trim().slice(-300)}`
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function boxCommand(folder: string, init: string): [string, string[]] {
  const name = `espalier-box-${randomBytes(4).toString('hex')}`;
  const read = [projectDir.replace(/\/$/, ''), dirname(process.execPath)];
  return [
    'unshare',
    ['--mount', '--net', '--uts', '--ipc', '--', 'bash', SCRIPT, folder, name, init, ...read],
  ];
}

export class SystemdBox {
  readonly #folder: string;
  readonly #name: string;
  readonly #script: ChildProcess;
  #said = '';

  private constructor(folder: string, name: string, script: ChildProcess) {
    this.#folder = folder;
    this.#name = name;
    this.#script = script;
    script.stderr?.on('data', (text) => (this.#said += text));
  }

  /** @throws Error when systemd does not come up */
  static async boot(): Promise<SystemdBox> {
    const folder = mkdtempSync(join(tmpdir(), 'espalier-box-'));
    const [file, args] = boxCommand(folder, INIT);
    const script = spawn(file, args, { stdio: ['pipe', 'ignore', 'pipe'] });
    const box = new SystemdBox(folder, args[args.indexOf(folder) + 1] ?? '', script);
    await box.#untilBooted();
    return box;
  }

  /** systemd's own number outside of the box; undefined between two boots. */
  get #init(): number | undefined {
    const group = `/proc/${this.#script.pid}/root${this.#folder}/groups/${this.#name}`;
    try {
      return Number(readFileSync(`${group}/init.scope/cgroup.procs`, 'utf8').split('\n')[0]) || undefined;
    } catch {
      return undefined;
    }
  }

  async #untilBooted(): Promise<void> {
    await until(async () => {
      if (this.#script.exitCode !== null) throw new Error(`the box did not boot: ${this.#said}`);
      return (
        this.#init !== undefined && (await this.run(['systemctl', 'is-system-running'])).stdout === 'running'
      );
    }, 'systemd');
  }

  /** Runs a command as root of the box. */
  async run(command: readonly string[], env: Record<string, string> = {}): Promise<Answer> {
    const inside = ['-m', '-u', '-i', '-n', '-p', '-C', '-r', '-w'];
    const { exitCode, stdout, stderr } = await execa(
      'nsenter',
      ['-t', String(this.#init), ...inside, '--', ...command],
      {
        env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', HOME: '/root', LANG: 'C.UTF-8', TZ: 'UTC', ...env },
        extendEnv: false,
        stdin: 'ignore',
        reject: false,
        timeout: COMMAND_TIMEOUT_MS,
      },
    );
    return { code: exitCode, stdout, stderr };
  }

  /** What is in its root comes through a restart. */
  async restart(): Promise<void> {
    const before = this.#init;
    await this.run(['systemctl', 'reboot']);
    await until(() => this.#init !== before, 'the restart');
    await this.#untilBooted();
  }

  /** Switches it off, with all that runs in it. */
  async off(): Promise<void> {
    this.#script.stdin?.end();
    await until(
      () => this.#script.exitCode !== null || this.#script.signalCode !== null,
      'the end of the box',
    );
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
