// Macs of the lab and a hub on their switch, behind a line that is slower than their links: what a home with a model to fetch
// looks like. It knows the public API and the command line alone.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, realpathSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import {
  MODELS_PATH,
  ModelsReport,
  PULL_MODEL_PATH,
  PullAnswer,
  type PullProgress,
} from '../../protocol/models.ts';
import { demoModelDir } from '../cli/package-root.ts';
import { shardModel } from '../hub/shard-model.ts';
import { type SixMacs, sixMacs } from './six-macs.ts';

const HUB_ADDRESS = '10.77.0.100';
const HUB_PORT = 8_117;
const HUB_ENTRY = fileURLToPath(new URL('../hub/local-hub-entry.js', import.meta.url));
export const HUB_REPO = 'lab/sharded-demo';
const POLL_MS = 100;
const UP_TIMEOUT_MS = 180_000;

const Sent = z.object({ totalBytes: z.number() });

export interface HubSceneOptions {
  macs: number;
  shards: number;
  /** of the whole model, about */
  modelBytes: number;
  /** of the line that the hub is behind */
  hubGbps: number;
}

export class HubScene implements AsyncDisposable {
  readonly macs: SixMacs;
  readonly #folder: string;
  readonly #hub: ChildProcess;

  private constructor(macs: SixMacs, folder: string, hub: ChildProcess) {
    this.macs = macs;
    this.#folder = folder;
    this.#hub = hub;
  }

  /** Serving, and nothing pulled yet. */
  static async up({ macs: count, shards, modelBytes, hubGbps }: HubSceneOptions): Promise<HubScene> {
    const folder = mkdtempSync(join(tmpdir(), 'espalier-hub-'));
    const repo = join(folder, 'repo');
    await shardModel({
      from: demoModelDir(),
      to: repo,
      shards,
      paddingBytes: Math.floor(modelBytes / shards),
    });
    // agents read it when they start
    process.env.HF_ENDPOINT = `http://${HUB_ADDRESS}:${HUB_PORT}`;
    const macs = await sixMacs({ count });
    const hub = await startHub(macs, repo, hubGbps).catch(async (error) => {
      await macs.remove();
      throw error;
    });
    const scene = new HubScene(macs, folder, hub);
    try {
      await scene.#untilServing();
    } catch (error) {
      await scene[Symbol.asyncDispose]();
      throw error;
    }
    return scene;
  }

  async #untilServing(): Promise<void> {
    const { cluster } = this.macs;
    const deadline = performance.now() + UP_TIMEOUT_MS;
    while ((await cluster.status().catch(() => undefined))?.state !== 'serving') {
      if (performance.now() > deadline)
        throw new Error(`the lab does not serve: ${cluster.log.slice(-2_000)}`);
      await delay(POLL_MS);
    }
  }

  /** Of all files' bodies, so far. */
  async hubSentBytes(): Promise<number> {
    const url = `http://${HUB_ADDRESS}:${HUB_PORT}/-/sent`;
    const script = `console.log(await (await fetch(${JSON.stringify(url)})).text())`;
    const args = ['--input-type=module', '--eval', script];
    const text = await this.macs.lab.run(this.macs.cluster.first, process.execPath, ...args);
    return Sent.parse(JSON.parse(text)).totalBytes;
  }

  /** Begins a pull of the hub's model. */
  async begin(): Promise<PullProgress> {
    const text = await this.macs.cluster.fetch(PULL_MODEL_PATH, { model: HUB_REPO });
    return PullAnswer.parse(JSON.parse(text)).pull;
  }

  /** Follows it to its end. @param onLook called again and again meanwhile */
  async end(
    { id }: PullProgress,
    onLook: (pull: PullProgress) => Promise<void> | void = () => undefined,
  ): Promise<PullProgress> {
    for (;;) {
      const { pulls } = ModelsReport.parse(JSON.parse(await this.macs.cluster.fetch(MODELS_PATH)));
      const pull = pulls.find((each) => each.id === id);
      if (!pull) throw new Error('the pull is not known any more');
      if (!['describing', 'pulling', 'verifying'].includes(pull.state)) return pull;
      await onLook(pull);
      await delay(POLL_MS);
    }
  }

  /** Names and sizes of the files that a Mac holds, by its number from 0. */
  filesOf(index: number): Map<string, number> {
    const snapshots = join(
      this.macs.cluster.home,
      `agent-${index}`,
      'hf/hub',
      `models--${HUB_REPO.replace('/', '--')}`,
      'snapshots',
    );
    const files = new Map<string, number>();
    if (!existsSync(snapshots)) return files;
    for (const commit of readdirSync(snapshots))
      for (const name of readdirSync(join(snapshots, commit)))
        files.set(name, statSync(realpathSync(join(snapshots, commit, name))).size);
    return files;
  }

  /** Names and sizes of the hub's files. */
  get hubFiles(): Map<string, number> {
    const repo = join(this.#folder, 'repo');
    return new Map(readdirSync(repo).map((name) => [name, statSync(join(repo, name)).size]));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    delete process.env.HF_ENDPOINT;
    this.#hub.kill('SIGKILL');
    await this.macs.remove();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** A hub on the lab's switch, on a machine of its own. */
async function startHub({ lab }: SixMacs, repo: string, hubGbps: number): Promise<ChildProcess> {
  const plug = { mac: await lab.addMac('hub'), interface: 'en0' };
  await lab.joinSwitch(plug, hubGbps);
  await lab.addAddress(plug, `${HUB_ADDRESS}/24`);
  const given = JSON.stringify({ repos: { [HUB_REPO]: repo }, host: HUB_ADDRESS, port: HUB_PORT });
  const [file, ...args] = lab.on(plug.mac, process.execPath, HUB_ENTRY, given);
  const hub = spawn(file, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  await once(hub.stdout, 'data', { signal: AbortSignal.timeout(UP_TIMEOUT_MS) });
  return hub;
}
