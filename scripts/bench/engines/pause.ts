// How long a stream stands still when one of its ranks gets a signal: the longest time between two of its tokens. It knows
// nothing of how the cluster gets over it.
import type { BenchCluster } from '../bench-cluster.ts';

const TOKENS = 64;
/** The signal comes after so many tokens. */
const UNDER_WAY = 8;
/** Any tokens will do. */
const PROMPT = Array.from({ length: 32 }, (_, i) => 100 + i);

/** @param rank rank 0 holds the last stage @throws EspalierError when the stream does not go on */
export async function longestPauseMs(
  cluster: BenchCluster,
  rank: number,
  signal: 'SIGKILL' | 'SIGSTOP',
): Promise<number> {
  const pid = cluster.status().stages.at(-1 - rank)?.pid;
  if (!pid) throw new Error(`rank ${rank} is not there`);
  let last = performance.now();
  let longestMs = 0;
  await cluster.generate(PROMPT, TOKENS, (index) => {
    const now = performance.now();
    if (index > 0) longestMs = Math.max(longestMs, now - last);
    last = now;
    if (index === UNDER_WAY) process.kill(pid, signal);
  });
  return longestMs;
}
