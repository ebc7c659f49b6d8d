// Waits until a service that its system was told to start is up: a process that ends at once would be started again and again,
// and nobody would be told.
import { setTimeout as sleep } from 'node:timers/promises';
import { EspalierError } from '../../protocol/errors.ts';
import type { RunArgv } from '../system-changes/run-argv.ts';
import { lastWords } from './last-words.ts';
import type { ServiceName } from './service-spec.ts';
import { serviceState } from './service-states.ts';

/** From the start to the file with its number: Node and our modules are loaded in between, on a busy machine slowly. */
export const START_TIMEOUT_MS = 30_000;
/** It has its home; what else may be wrong, a port that is taken above all, it finds at once. */
export const SETTLE_MS = 1_000;
const POLL_MS = 200;

/** @throws EspalierError service_failed with its last words when it ends, or is not up in time */
export async function untilUp(name: ServiceName, tools: { home: string; run: RunArgv }): Promise<void> {
  const deadline = performance.now() + START_TIMEOUT_MS;
  let settling: { pid: number | null; since: number } | undefined;
  while (performance.now() < deadline) {
    const { state, pid } = await serviceState(name, tools);
    if (state === 'fails') break;
    if (state !== 'runs' || pid !== settling?.pid) settling = undefined;
    if (state === 'runs') settling ??= { pid, since: performance.now() };
    if (settling && performance.now() - settling.since > SETTLE_MS) return;
    await sleep(POLL_MS);
  }
  throw new EspalierError(
    'service_failed',
    `espalier ${name} does not stay up, and is started again and again until \`espalier service uninstall ${name}\`: ${await lastWords(tools.home, name)}`,
  );
}
