// A cluster of its own for a bench: agents and controller in this process, one worker process a stage.
import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { startAgent } from '../../agent/main.ts';
import { startController } from '../../controller/main.ts';
import type { TokenSource } from '../../controller/token-source.ts';
import type { ClusterStatus } from '../../protocol/status.ts';
import { demoModelDir } from '../cli/package-root.ts';

/** The stages of a small model load in a second or two. */
const UP_TIMEOUT_MS = 60_000;

export interface BenchCluster {
  source: TokenSource;
  status(): ClusterStatus;
  down(): Promise<void>;
}

/** @throws Error when it does not serve in time */
export async function bringUp(nodes: number): Promise<BenchCluster> {
  process.env.ESPALIER_LOG ??= 'warn';
  const home = await mkdtemp(join(tmpdir(), 'espalier-bench-'));
  // also when the bench is stopped in the middle
  process.once('exit', () => rmSync(home, { recursive: true, force: true }));
  const common = {
    host: '127.0.0.1',
    port: 0,
    bonjourInterface: '127.0.0.1',
    cluster: `bench-${randomBytes(6).toString('hex')}`,
  };
  const agents = await Promise.all(
    Array.from({ length: nodes }, (_, i) =>
      startAgent({ ...common, name: `node-${i + 1}`, home: join(home, `agent-${i}`) }),
    ),
  );
  const controller = await startController({
    ...common,
    modelDir: demoModelDir(),
    nodeCount: nodes,
    agents: agents.map(({ port }) => ({ host: common.host, port })),
    home: join(home, 'controller'),
  });
  const down = async () => {
    await controller.stop();
    await Promise.all(agents.map((agent) => agent.stop()));
    await rm(home, { recursive: true, force: true });
  };
  const deadline = performance.now() + UP_TIMEOUT_MS;
  while (controller.status().state !== 'serving') {
    if (performance.now() > deadline) {
      const { reason } = controller.status();
      await down();
      throw new Error(`the bench's cluster of ${nodes} did not come up: ${reason}`);
    }
    await delay(50);
  }
  return { source: controller.source, status: () => controller.status(), down };
}

/**
 * Generates `tokens` greedy tokens for one request, alone.
 * @returns milliseconds from the first token to the last, over the number of steps between them
 */
export async function decodeMs(cluster: BenchCluster, tokens: number): Promise<number> {
  const request = {
    promptIds: [0, 3, 24, 26, 27, 225, 15, 225, 21],
    maxTokens: tokens,
    stopIds: [],
    sampling: { temperature: 0, topP: 1, seed: 0 },
  };
  let first = 0;
  let last = 0;
  for await (const { index } of cluster.source.generate(request, new AbortController().signal)) {
    last = performance.now();
    if (index === 0) first = last;
  }
  return (last - first) / (tokens - 1);
}
