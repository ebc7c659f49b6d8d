// Waits for a cluster to serve, and says meanwhile what it waits for.
import { setTimeout as sleep } from 'node:timers/promises';
import { fetchStatus } from '../../dashboard/client.ts';
import { asEspalierError, type ErrorCode, EspalierError, isErrorCode } from '../../protocol/errors.ts';
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
 * @throws EspalierError what is wrong with the model or the installation; not_ready with the last reason, after 60 s, or after the time that loading may take while
 *   stages load; the signal's reason when it aborts
 */
export async function waitUntilServing(
  controllerUrl: string,
  { signal, onReason, waitTimeoutMs = WAIT_TIMEOUT_MS }: WaitOptions,
): Promise<void> {
  const start = performance.now();
  let shown = '';
  for (;;) {
    const { state, reason, failure } = await look(controllerUrl, signal);
    signal.throwIfAborted();
    if (failure !== undefined && isLasting(failure)) throw new EspalierError(failure, reason);
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
): Promise<{ state: ClusterState | undefined; reason: string; failure?: ErrorCode | undefined }> {
  try {
    const { state, reason, failure } = await fetchStatus(controllerUrl, signal);
    // while the next try loads, the reason is its progress: the failure is told when it has failed
    const isOver = state === 'degraded' && failure && isErrorCode(failure);
    return { state, reason: reason ?? state, failure: isOver ? failure : undefined };
  } catch (error) {
    signal.throwIfAborted();
    const known = asEspalierError(error);
    // a controller that is busy answers late; one that is of another version never will
    if (known.code !== 'controller_unreachable') throw known;
    return { state: undefined, reason: known.message };
  }
}

/** Whether waiting is of no use: what is wrong with a model folder or an installation stays wrong. */
function isLasting(code: ErrorCode): boolean {
  return code.startsWith('model_') || code === 'engine_missing';
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
