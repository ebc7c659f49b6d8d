// Ends supervised processes group by group within one grace, and kills what is left. It must not know what they do.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Child } from './child.ts';

/**
 * SIGTERM to the first group, then to the next once the first has ended; each group may use its equal share of the
 * time that is left, so that one that hangs leaves time for the others. SIGKILL for whatever lives after `graceMs`.
 * Resolves when all are gone.
 */
export async function endInOrder(groups: readonly (readonly Child[])[], graceMs: number): Promise<void> {
  const deadline = performance.now() + graceMs;
  for (const [index, group] of groups.entries()) {
    for (const child of group) if (child.isAlive()) child.kill('SIGTERM');
    const leftMs = Math.max(0, deadline - performance.now());
    await endedWithin(group, leftMs / (groups.length - index));
  }
  const all = groups.flat();
  await endedWithin(all, Math.max(0, deadline - performance.now()));
  for (const child of all) if (child.isAlive()) child.kill('SIGKILL');
  await Promise.all(all.map((child) => child.ended));
}

async function endedWithin(group: readonly Child[], timeoutMs: number): Promise<void> {
  const timer = new AbortController();
  const timeout = sleep(timeoutMs, undefined, { signal: timer.signal }).catch(() => undefined);
  await Promise.race([Promise.all(group.map((child) => child.ended)), timeout]);
  timer.abort();
}
