// A service as a process in the background: started, and left alone. For machines without launchd and systemd, and for who
// wants to try first. It must not know what the service does.
import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, renameSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { EspalierError } from '../../protocol/errors.ts';
import { holderOf, isAlive } from '../../protocol/home-lock.ts';
import { SUPERVISED_STOP_MS } from '../../protocol/supervised.ts';
import { type ServiceName, type ServiceSpec, serviceLog } from './service-spec.ts';

const MAX_LOG_BYTES = 16 * 1024 ** 2;
/** From the start to the file with its number: Node and our modules are loaded in between, on a busy machine slowly. */
const START_TIMEOUT_MS = 30_000;
const POLL_MS = 100;
const SETTLE_MS = 1_000;

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
    // it has its home; what else may be wrong, a port that is taken above all, it finds at once
    await sleep(SETTLE_MS);
    if (isRunning()) return child.pid;
  }
  child.kill('SIGKILL');
  throw new EspalierError(
    'service_failed',
    `espalier ${spec.name} did not start: ${lastWords(spec.home, spec.name)}`,
  );
}

/** The last line that a service wrote to its own log. */
export function lastWords(home: string, name: ServiceName): string {
  try {
    const text = readFileSync(serviceLog(home, name), 'utf8').trim();
    return text.split('\n').slice(-2).join(' ').trim() || 'it said nothing';
  } catch {
    return 'it said nothing';
  }
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
