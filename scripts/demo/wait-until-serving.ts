// Waits for a cluster to serve, and says meanwhile what it waits for.
import { setTimeout as sleep } from 'node:timers/promises';
import { fetchStatus } from '../../dashboard/client.ts';
import { asEspalierError, EspalierError } from '../../protocol/errors.ts';
import { LINK_TIMEOUT_MS, LOAD_TIMEOUT_MS } from '../../protocol/limits.ts';
import type { ClusterState } from '../../protocol/status.ts';

const POLL_MS = 100;
/** For everything but loading: agents of the same machine are found within a second or two. */
const WAIT_TIMEOUT_MS = 60_000;
const HEALTH_TIMEOUT_MS = 2_000;

export interface WaitOptions {
  signal: AbortSignal;
  /** called whenever there is another reason to wait */
  onReason(reason: string): void;
  waitTimeoutMs?: number;
}

/**
 * Resolves when the status says `serving` and GET /health answers 200.
 * @throws EspalierError not_ready with the last reason, after 60 s, or after the time that loading may take while
 *   stages load; the signal's reason when it aborts
 */
export async function waitUntilServing(
  controllerUrl: string,
  { signal, onReason, waitTimeoutMs = WAIT_TIMEOUT_MS }: WaitOptions,
): Promise<void> {
  const start = performance.now();
  let shown = '';
  for (;;) {
    const { state, reason } = await look(controllerUrl, signal);
    signal.throwIfAborted();
    if (state === 'serving' && (await isHealthy(controllerUrl, signal))) return;
    const elapsedMs = performance.now() - start;
    const timeoutMs = state === 'deploying' ? LOAD_TIMEOUT_MS + LINK_TIMEOUT_MS : waitTimeoutMs;
    if (elapsedMs > timeoutMs) {
      const seconds = Math.round(elapsedMs / 1000);
      throw new EspalierError('not_ready', `the cluster does not serve after ${seconds} s: ${reason}`);
    }
    if (reason !== shown) onReason(reason);
    shown = reason;
    await sleep(POLL_MS, undefined, { signal });
  }
}

async function look(
  controllerUrl: string,
  signal: AbortSignal,
): Promise<{ state: ClusterState | undefined; reason: string }> {
  try {
    const { state, reason } = await fetchStatus(controllerUrl, signal);
    return { state, reason: reason ?? state };
  } catch (error) {
    signal.throwIfAborted();
    const known = asEspalierError(error);
    // a controller that is busy answers late; one that is of another version never will
    if (known.code !== 'controller_unreachable') throw known;
    return { state: undefined, reason: known.message };
  }
}

async function isHealthy(controllerUrl: string, signal: AbortSignal): Promise<boolean> {
  try {
    const response = await fetch(new URL('/health', controllerUrl), {
      signal: AbortSignal.any([signal, AbortSignal.timeout(HEALTH_TIMEOUT_MS)]),
    });
    await response.body?.cancel();
    return response.status === 200;
  } catch {
    return false;
  }
}
