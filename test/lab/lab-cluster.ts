// A real cluster in a lab: an agent on each Mac and a controller on the first, as processes of the command line, and a
// way to ask that controller from outside its network.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { LINKS_PATH, LinksReport } from '../../protocol/links.ts';
import { ClusterStatus, STATUS_PATH } from '../../protocol/status.ts';
import { SUPERVISED_VARIABLE } from '../../protocol/supervised.ts';
import { cliFile, demoModelDir } from '../support/paths.ts';
import type { Lab, Mac } from './lab.ts';

const API = 'http://127.0.0.1:7117';
const ANSWER_TIMEOUT_MS = 60_000;
const STOP_MS = 5_000;

export class LabCluster {
  readonly #lab: Lab;
  readonly #macs: readonly Mac[];
  readonly #children: ChildProcess[] = [];
  readonly #home = mkdtempSync(join(tmpdir(), 'espalier-lab-'));
  #log = '';

  /** @param addresses of the Macs on the switch */
  constructor(lab: Lab, macs: readonly Mac[], addresses: readonly string[]) {
    this.#lab = lab;
    this.#macs = macs;
    for (const [i, mac] of macs.entries()) {
      const address = addresses[i] as string;
      this.#start(
        mac,
        `agent-${i}`,
        'agent',
        '--host',
        '0.0.0.0',
        '--name',
        mac.name,
        '--interface',
        address,
      );
    }
    const agents = addresses.flatMap((address) => ['--agent', `${address}:7118`]);
    const nodes = ['--nodes', String(macs.length), '--interface', addresses[0] as string];
    this.#start(this.#first, 'controller', 'controller', '--model', demoModelDir, ...nodes, ...agents);
  }

  /** What all of its processes have said, for a test that failed. */
  get log(): string {
    return this.#log;
  }

  async status(): Promise<ClusterStatus> {
    return ClusterStatus.parse(JSON.parse(await this.fetch(STATUS_PATH)));
  }

  async links(): Promise<LinksReport> {
    return LinksReport.parse(JSON.parse(await this.fetch(LINKS_PATH)));
  }

  /** The body of an answer of the API. @param body is posted as JSON */
  async fetch(path: string, body?: unknown): Promise<string> {
    const how = body
      ? { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }
      : {};
    const script = `console.log(await (await fetch(${JSON.stringify(API + path)}, ${JSON.stringify(how)})).text())`;
    const [file, ...args] = this.#lab.on(
      this.#first,
      process.execPath,
      '--input-type=module',
      '--eval',
      script,
    );
    return (await execa(file, args, { timeout: ANSWER_TIMEOUT_MS })).stdout;
  }

  /** Runs the command line on the first Mac. */
  async cli(...args: string[]): Promise<string> {
    return this.#lab.run(this.#first, process.execPath, cliFile, ...args);
  }

  async stop(): Promise<void> {
    const ended = this.#children.map((child) =>
      child.exitCode === null && child.signalCode === null ? once(child, 'exit') : undefined,
    );
    for (const child of this.#children) child.kill('SIGTERM');
    const timer = setTimeout(() => {
      for (const child of this.#children) child.kill('SIGKILL');
    }, STOP_MS);
    await Promise.all(ended);
    clearTimeout(timer);
    rmSync(this.#home, { recursive: true, force: true });
  }

  get #first(): Mac {
    return this.#macs[0] as Mac;
  }

  #start(mac: Mac, home: string, ...args: string[]): void {
    const [file, ...rest] = this.#lab.on(mac, process.execPath, cliFile, ...args);
    const env = { ...process.env, ESPALIER_HOME: join(this.#home, home), [SUPERVISED_VARIABLE]: '1' };
    // with a channel to this process it ends when this one does
    const child = spawn(file, rest, { stdio: ['ignore', 'pipe', 'pipe', 'ipc'], env });
    const collect = (text: Buffer) => {
      this.#log = `${this.#log}${home}: ${text}`.slice(-100_000);
    };
    child.stdout?.on('data', collect);
    child.stderr?.on('data', collect);
    this.#children.push(child);
  }
}
