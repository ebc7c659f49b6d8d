// Waits for what must come, by looking, with a deadline that is there for hangs and not for speed.
import { setTimeout as delay } from 'node:timers/promises';

/** @throws Error when it has not become true within `timeoutMs` */
export async function until(
  isTrue: () => boolean | Promise<boolean>,
  what = 'what was awaited',
  timeoutMs = 60_000,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await isTrue())) {
    if (performance.now() > deadline) throw new Error(`${what} did not come within ${timeoutMs / 1000} s`);
    await delay(20);
  }
}
