// mlx-lm's own server, as its makers start it on one machine: one process, or a pipeline of two ranks over MLX's ring.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { execa } from 'execa';
import { type CoreSet, pinnedCommand } from '../cores.ts';

const START_TIMEOUT_MS = 120_000;

export interface StockServer extends AsyncDisposable {
  readonly url: string;
  /** It is stopped (SIGSTOP) but for as long as this runs: one that waits for its other ranks takes a core. */
  awake<T>(use: () => Promise<T>): Promise<T>;
}

/** @param ranks 1, which may use all cores, or more, each on one of them in turn */
export async function startStockServer(
  { python, modelDir, cores }: { python: string; modelDir: string; cores: CoreSet },
  ranks: number,
): Promise<StockServer> {
  await using parts = new AsyncDisposableStack();
  const dir = await mkdtemp(join(tmpdir(), 'espalier-stock-'));
  parts.defer(() => rm(dir, { recursive: true, force: true }));
  const port = await freePort();
  const hosts: string[][] = [];
  for (let rank = 0; rank < ranks; rank++) hosts.push([`127.0.0.1:${await freePort()}`]);
  const hostFile = join(dir, 'hosts.json');
  await writeFile(hostFile, JSON.stringify(hosts));
  const children = hosts.map((_, rank) => {
    const id = cores.ids[rank % Math.max(cores.ids.length, 1)];
    const args = ['-m', 'mlx_lm.server', '--model', modelDir, '--port', String(port), '--pipeline'];
    const ids = ranks === 1 ? cores.ids : id === undefined ? [] : [id];
    const [file, all] = pinnedCommand({ ids, text: '' }, python, args);
    const ring = ranks > 1 ? { MLX_RANK: String(rank), MLX_HOSTFILE: hostFile } : {};
    return execa(file, all, {
      reject: false,
      stdin: 'ignore',
      all: true,
      maxBuffer: 1_000_000,
      env: { OPENBLAS_NUM_THREADS: '1', HF_HUB_OFFLINE: '1', ...ring },
    });
  });
  for (const child of children) {
    parts.defer(async () => {
      child.kill('SIGKILL');
      await child;
    });
  }
  const url = `http://127.0.0.1:${port}`;
  const deadline = performance.now() + START_TIMEOUT_MS;
  while (!(await answers(url))) {
    const ended = children.find(({ nodeChildProcess }) => nodeChildProcess.exitCode !== null);
    if (ended) throw new Error(`mlx_lm.server ended: ${(await ended).all?.slice(-2_000)}`);
    if (performance.now() > deadline) throw new Error('mlx_lm.server did not come up in time');
    await delay(200);
  }
  const signal = (name: 'SIGSTOP' | 'SIGCONT') => {
    for (const child of children) child.kill(name);
  };
  signal('SIGSTOP');
  const all = parts.move();
  return {
    url,
    async awake(use) {
      signal('SIGCONT');
      try {
        return await use();
      } finally {
        signal('SIGSTOP');
      }
    },
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

async function answers(url: string): Promise<boolean> {
  return fetch(`${url}/health`, { signal: AbortSignal.timeout(2_000) }).then(
    ({ ok }) => ok,
    () => false,
  );
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}
