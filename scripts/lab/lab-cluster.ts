// A real cluster in a lab: an agent on each Mac and a controller on the first, as processes of the command line that can
// be stopped, killed and started again, and a way to ask that controller from outside its network.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { credentialHeaders } from '../../protocol/credential.ts';
import { INCIDENTS_PATH, type Incident, IncidentsReport } from '../../protocol/incidents.ts';
import { LINKS_PATH, LinksReport } from '../../protocol/links.ts';
import { ClusterStatus, STATUS_PATH } from '../../protocol/status.ts';
import { SUPERVISED_VARIABLE } from '../../protocol/supervised.ts';
import { demoModelDir } from '../cli/package-root.ts';
import { pairHomes } from '../pair-homes.ts';
import type { Lab, Mac } from './lab.ts';

export const API = 'http://127.0.0.1:7117';
const CLI = fileURLToPath(new URL('../cli/main.js', import.meta.url));
const ANSWER_TIMEOUT_MS = 60_000;
const STOP_MS = 5_000;
const CONTROLLER_HOME = 'controller';
const MAX_LOG_CHARS = 200_000;

/** With what the command line's processes are started besides. */
export interface LabArgs {
  agent?: readonly string[];
  controller?: readonly string[];
}

export class LabCluster {
  readonly #lab: Lab;
  readonly #macs: readonly Mac[];
  readonly #addresses: readonly string[];
  readonly #args: LabArgs;
  readonly #agents: (ChildProcess | undefined)[] = [];
  #controller: ChildProcess | undefined;
  /** where all its processes have their homes */
  readonly home = mkdtempSync(join(tmpdir(), 'espalier-lab-'));
  #log = '';

  private constructor(lab: Lab, macs: readonly Mac[], addresses: readonly string[], args: LabArgs) {
    this.#lab = lab;
    this.#macs = macs;
    this.#addresses = addresses;
    this.#args = args;
  }

  /**
   * Pairs them and starts them.
   * @param addresses of the Macs on the switch
   */
  static async up(
    lab: Lab,
    macs: readonly Mac[],
    addresses: readonly string[],
    args: LabArgs,
  ): Promise<LabCluster> {
    const cluster = new LabCluster(lab, macs, addresses, args);
    const agents = macs.map(({ name }, index) => ({ name, home: join(cluster.home, agentHome(index)) }));
    await pairHomes(join(cluster.home, CONTROLLER_HOME), agents);
    for (const index of macs.keys()) cluster.startAgent(index);
    cluster.startController();
    return cluster;
  }

  /** What all of its processes have said, for a test that failed. */
  get log(): string {
    return this.#log;
  }

  /** the Mac with the controller */
  get first(): Mac {
    return this.#macs[0] as Mac;
  }

  /** undefined while it does not run */
  agentPid(index: number): number | undefined {
    return running(this.#agents[index]);
  }

  get controllerPid(): number | undefined {
    return running(this.#controller);
  }

  startAgent(index: number): void {
    const mac = this.#macs[index] as Mac;
    const address = this.#addresses[index] as string;
    const listen = ['--host', '0.0.0.0', '--name', mac.name, '--interface', address];
    const more = this.#args.agent ?? [];
    this.#agents[index] = this.#start(mac, agentHome(index), 'agent', ...listen, ...more);
  }

  startController(): void {
    const agents = this.#addresses.flatMap((address) => ['--agent', `${address}:7118`]);
    const nodes = ['--nodes', String(this.#macs.length), '--interface', this.#addresses[0] as string];
    const model = ['--model', demoModelDir()];
    const args = [...model, ...nodes, ...agents, ...(this.#args.controller ?? [])];
    this.#controller = this.#start(this.first, CONTROLLER_HOME, 'controller', ...args);
  }

  async status(): Promise<ClusterStatus> {
    return ClusterStatus.parse(JSON.parse(await this.fetch(STATUS_PATH)));
  }

  async links(): Promise<LinksReport> {
    return LinksReport.parse(JSON.parse(await this.fetch(LINKS_PATH)));
  }

  async incidents(): Promise<Incident[]> {
    return IncidentsReport.parse(JSON.parse(await this.fetch(INCIDENTS_PATH))).incidents;
  }

  /** The body of an answer of the API. @param body is posted as JSON */
  async fetch(path: string, body?: unknown): Promise<string> {
    const headers = credentialHeaders(API, { ESPALIER_HOME: this.#controllerHome });
    const json = { 'content-type': 'application/json' };
    const how = body
      ? { method: 'POST', headers: { ...headers, ...json }, body: JSON.stringify(body) }
      : { headers };
    const script = `console.log(await (await fetch(${JSON.stringify(API + path)}, ${JSON.stringify(how)})).text())`;
    const [file, ...args] = this.#lab.on(
      this.first,
      process.execPath,
      '--input-type=module',
      '--eval',
      script,
    );
    return (await execa(file, args, { timeout: ANSWER_TIMEOUT_MS })).stdout;
  }

  /** Runs the command line on the first Mac. */
  async cli(...args: string[]): Promise<string> {
    const home = `ESPALIER_HOME=${this.#controllerHome}`;
    return this.#lab.run(this.first, 'env', home, process.execPath, CLI, ...args);
  }

  async stop(): Promise<void> {
    const children = [this.#controller, ...this.#agents].filter((child) => running(child) !== undefined);
    const ended = children.map((child) => child && once(child, 'exit'));
    for (const child of children) {
      child?.kill('SIGCONT');
      child?.kill('SIGTERM');
    }
    const timer = setTimeout(() => {
      for (const child of children) child?.kill('SIGKILL');
    }, STOP_MS);
    await Promise.all(ended);
    clearTimeout(timer);
    rmSync(this.home, { recursive: true, force: true });
  }

  get #controllerHome(): string {
    return join(this.home, CONTROLLER_HOME);
  }

  #start(mac: Mac, home: string, ...args: string[]): ChildProcess {
    const [file, ...rest] = this.#lab.on(mac, process.execPath, CLI, ...args);
    const own = join(this.home, home);
    // a Mac's models are its own
    const homes = { ESPALIER_HOME: own, HF_HOME: join(own, 'hf') };
    const env = { ...process.env, ...homes, [SUPERVISED_VARIABLE]: '1' };
    // with a channel to this process it ends when this one does
    const child = spawn(file, rest, { stdio: ['ignore', 'pipe', 'pipe', 'ipc'], env });
    const collect = (text: Buffer) => {
      this.#log = `${this.#log}${home}: ${text}`.slice(-MAX_LOG_CHARS);
    };
    child.stdout?.on('data', collect);
    child.stderr?.on('data', collect);
    return child;
  }
}

function agentHome(index: number): string {
  return `agent-${index}`;
}

function running(child: ChildProcess | undefined): number | undefined {
  return child?.exitCode === null && child.signalCode === null ? child.pid : undefined;
}
