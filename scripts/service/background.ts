// A service as a process in the background: started, and left alone. For machines without launchd and systemd, and for who
// wants to try first. It must not know what the service does.
import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, renameSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { EspalierError } from '../../protocol/errors.ts';
import { holderOf, isAlive } from '../../protocol/home-lock.ts';
import { SUPERVISED_STOP_MS } from '../../protocol/supervised.ts';
import { lastWords } from './last-words.ts';
import { type ServiceName, type ServiceSpec, serviceLog } from './service-spec.ts';
import { SETTLE_MS, START_TIMEOUT_MS } from './until-up.ts';

const MAX_LOG_BYTES = 16 * 1024 ** 2;
const POLL_MS = 100;

/**
 * Starts a service of this home.
 * @param extra of the environment, for this start alone: a join token
 * @throws EspalierError service_failed with its last words, home_not_writable
 */
export async function startInBackground(
  spec: ServiceSpec,
  extra: Record<string, string> = {},
): Promise<number> {
  const log = openLog(serviceLog(spec.home, spec.name));
  const [program = '', ...args] = spec.command;
  const child = spawn(program, args, {
    env: { ...process.env, ...spec.environment, ...extra },
    cwd: spec.home,
    stdio: ['ignore', log, log],
    detached: true,
  });
  closeSync(log);
  child.on('error', () => undefined); // it has no number then, and ends below
  child.unref();
  const isRunning = () => child.exitCode === null && child.signalCode === null;
  const deadline = performance.now() + START_TIMEOUT_MS;
  while (child.pid !== undefined && isRunning() && performance.now() < deadline) {
    if (holderOf(spec.home, spec.name) !== child.pid) {
      await sleep(POLL_MS);
      continue;
    }
    await sleep(SETTLE_MS);
    if (isRunning()) return child.pid;
  }
  child.kill('SIGKILL');
  throw new EspalierError(
    'service_failed',
    `espalier ${spec.name} did not start: ${await lastWords(spec.home, spec.name)}`,
  );
}

/**
 * Ends it in good order. One that has ended is ended.
 * @throws EspalierError service_failed when it does not end in time
 */
export async function stopProcess(home: string, name: ServiceName): Promise<void> {
  const pid = holderOf(home, name);
  if (pid === undefined) return;
  process.kill(pid, 'SIGTERM');
  const deadline = performance.now() + 2 * SUPERVISED_STOP_MS;
  while (isAlive(pid)) {
    if (performance.now() > deadline) {
      throw new EspalierError('service_failed', `espalier ${name} (process ${pid}) does not end`);
    }
    await sleep(POLL_MS);
  }
}

/** Appends; what has grown too large is kept once as `.old`. */
function openLog(path: string): number {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) > MAX_LOG_BYTES)
      renameSync(path, `${path}.old`);
    return openSync(path, 'a', 0o600);
  } catch (error) {
    throw new EspalierError('home_not_writable', `${path} cannot be written: ${(error as Error).message}`);
  }
}
