// What the demo shows off a terminal: one question, the thinking, the answer, and what each node did meanwhile.
import { setTimeout as sleep } from 'node:timers/promises';
import { fetchStatus } from '../../dashboard/client.ts';
import { STATS_INTERVAL_MS } from '../../protocol/limits.ts';
import type { ClusterStatus } from '../../protocol/status.ts';
import { printAnswer } from '../cli/chat/answer.ts';
import { hasSettled, throughputTable } from './throughput-table.ts';

const QUESTION = "How many r's are in strawberry?";
/** Stages report twice a second, and the controller passes it on as often. */
const SETTLE_TIMEOUT_MS = 4 * STATS_INTERVAL_MS;
const POLL_MS = 50;

/**
 * Asks the sample question and prints everything to `stdout`.
 * @throws EspalierError or ApiError when there is no answer; nothing when `signal` aborts
 */
export async function askSampleQuestion(
  controllerUrl: string,
  stdout: NodeJS.WriteStream,
  signal: AbortSignal,
): Promise<void> {
  const before = await fetchStatus(controllerUrl, signal);
  stdout.write(`\n> ${QUESTION}\n\n`);
  const start = performance.now();
  await printAnswer(
    // the thinking belongs to the answer here, so both go the same way
    { controllerUrl, settings: {}, output: { stdout, stderr: stdout, thinking: true } },
    [{ role: 'user', content: QUESTION }],
    signal,
  );
  const elapsedMs = performance.now() - start;
  const after = await settledStatus(before, controllerUrl, signal);
  if (after !== undefined) stdout.write(`\n${throughputTable(before, after, elapsedMs)}\n\n`);
}

/** The status once the stages have reported the answer; the newest one when they do not in time. */
async function settledStatus(
  before: ClusterStatus,
  controllerUrl: string,
  signal: AbortSignal,
): Promise<ClusterStatus | undefined> {
  const deadline = performance.now() + SETTLE_TIMEOUT_MS;
  for (;;) {
    if (signal.aborted) return undefined;
    const after = await fetchStatus(controllerUrl, signal);
    if (hasSettled(before, after) || performance.now() > deadline) return after;
    await sleep(POLL_MS);
  }
}
