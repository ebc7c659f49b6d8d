// What a stage worker holds in memory beside its tensors and its KV, from what it reports of itself.
import { setTimeout as delay } from 'node:timers/promises';
import { STATS_INTERVAL_MS } from '../../protocol/limits.ts';
import type { StageStatus } from '../../protocol/status.ts';
import type { BenchCluster } from './bench-cluster.ts';

/** Megabytes above tensors and KV: what Node, MLX and BLAS take themselves, and what a step leaves behind. */
export const MEMORY_AIM = '<= 150';

type StageMemory = Pick<StageStatus, 'residentBytes' | 'weightBytes' | 'kvBytes'>;

/**
 * Resident memory above tensors and KV of the stage that has the most, in megabytes of 1,000,000 bytes. Resident memory
 * and KV are of the same report.
 * @returns undefined while a stage has not reported yet
 */
export function worstOverheadMb(stages: readonly StageMemory[]): number | undefined {
  let worst: number | undefined;
  for (const { residentBytes, kvBytes, weightBytes } of stages) {
    if (residentBytes === null || kvBytes === null) return undefined;
    worst = Math.max(worst ?? 0, (residentBytes - kvBytes - weightBytes) / 1e6);
  }
  return worst;
}

/**
 * The same, once every stage has reported what it holds now.
 * @throws Error when one has not
 */
export async function reportedOverheadMb(cluster: BenchCluster): Promise<number> {
  await delay(2 * STATS_INTERVAL_MS);
  const overhead = worstOverheadMb(cluster.status().stages);
  if (overhead === undefined) throw new Error('a stage of the bench does not report its memory');
  return overhead;
}
