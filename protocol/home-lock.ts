// Keeps a home to one process of a role at a time: two with the same identity would end each other for ever.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { EspalierError } from './errors.ts';
import { createOwnFile, removeOwnFile, writeOwnFile } from './home-files.ts';

/** Taking the place of a process that is gone is a matter of milliseconds: whoever takes longer was ended in the middle. */
const TAKEOVER_MS = 5_000;
const PS_TIMEOUT_MS = 2_000;

type Role = 'agent' | 'controller';

/**
 * Takes a home for this process, until it ends.
 * @throws EspalierError home_in_use, home_not_writable
 */
export function lockHome(home: string, role: Role): void {
  try {
    mkdirSync(home, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new EspalierError('home_not_writable', `${home} cannot be written: ${(error as Error).message}`);
  }
  const path = pathOf(home, role);
  const own = `${process.pid}\n${startOf(process.pid) ?? ''}\n`;
  if (createOwnFile(path, own)) return;
  assertFree(home, role);
  // of two that find it left behind, the slower one must not take it from the faster one
  const mark = `${path}.takeover`;
  if (!createOwnFile(mark, own) && !isAbandoned(mark)) throw inUse(home, 'another process that is starting');
  try {
    assertFree(home, role);
    writeOwnFile(path, own);
  } finally {
    removeOwnFile(mark);
  }
}

/** The process that has a home; undefined when none does. */
export function holderOf(home: string, role: Role): number | undefined {
  return livingOf(pathOf(home, role));
}

/** The process that wrote a file with its number, where it still runs. */
function livingOf(path: string): number | undefined {
  const [pid, start] = readText(path)?.split('\n') ?? [];
  const holder = Number(pid);
  if (!Number.isInteger(holder) || holder <= 0 || !isAlive(holder)) return undefined;
  // its number may belong to another program by now, after a restart of the machine above all
  const startNow = start ? startOf(holder) : undefined;
  return startNow === undefined || startNow === start ? holder : undefined;
}

function assertFree(home: string, role: Role): void {
  const holder = holderOf(home, role);
  if (holder === undefined || holder === process.pid) return;
  const hint = `if that is another program, remove ${pathOf(home, role)}`;
  throw inUse(home, `the ${role} that runs as process ${holder} (${hint})`);
}

function inUse(home: string, who: string): EspalierError {
  return new EspalierError('home_in_use', `${home} belongs to ${who}`);
}

function isAbandoned(mark: string): boolean {
  const stats = statSync(mark, { throwIfNoEntry: false });
  if (!stats) return false;
  return livingOf(mark) === undefined || Date.now() - stats.mtimeMs > TAKEOVER_MS;
}

function pathOf(home: string, role: Role): string {
  return join(home, `${role}.pid`);
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

/**
 * When a process began, as text that no later one with its number has; undefined where the system does not tell.
 * Linux: ticks since the start of the machine, and which start that was (proc_pid_stat(5), field 22); elsewhere `ps`.
 */
function startOf(pid: number): string | undefined {
  if (process.platform === 'linux') {
    // the program's name, in brackets, may hold anything
    const fields = readText(`/proc/${pid}/stat`)?.split(') ').at(-1)?.split(' ');
    const boot = readText('/proc/sys/kernel/random/boot_id')?.trim();
    return fields?.[19] === undefined ? undefined : `${fields[19]} ${boot ?? ''}`;
  }
  const env = { PATH: process.env.PATH, LC_ALL: 'C', TZ: 'UTC' };
  const options = { env, encoding: 'utf8', timeout: PS_TIMEOUT_MS } as const;
  return spawnSync('ps', ['-o', 'lstart=', '-p', String(pid)], options).stdout?.trim() || undefined;
}

/** Whether a process runs under a number, anybody's. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
