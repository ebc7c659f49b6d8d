// One set-up at a time in one checkout: a lock file that names its holder's process, and is taken over when that
// process is gone. It must not know what is done under the lock.
import {
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { SetupError, say, shellQuote } from './say.mjs';

/** Longer than any first installation over a slow line. */
const LOCK_TIMEOUT_MS = 900_000;
const POLL_MS = 100;
/**
 * The holder touches the lock this often. A waiter that sees it untouched over UNTOUCHED_POLLS of its own polls takes
 * it over although a process of that number lives: numbers come again, in containers after every restart.
 */
const TOUCH_MS = 5_000;
const UNTOUCHED_POLLS = 600;
/** Taking over a stale lock needs microseconds: a take-over mark older than this was left by a crash. */
const TAKEOVER_STALE_MS = 10_000;

/** @param {string} path */
function createExclusively(path) {
  try {
    const file = openSync(path, 'wx');
    writeSync(file, `${process.pid}\n`);
    closeSync(file);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

/**
 * The pid that holds a lock file.
 * @param {string} path
 * @returns {number | undefined} undefined when there is no lock, or it was just made and is still empty
 */
export function holderOf(path) {
  try {
    const pid = Number.parseInt(readFileSync(path, 'utf8'), 10);
    return pid > 0 ? pid : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Whether the holder is a living process. Our own number means a holder of an earlier life.
 * @param {number} pid
 */
function isAlive(pid) {
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it lives, as another user
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

/** @param {string} path */
function touchedAtMs(path) {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Date.now();
}

/** @param {string} path */
function ageMs(path) {
  return Date.now() - touchedAtMs(path);
}

/**
 * Removes a lock whose holder is gone. Two processes must not both do that: the slower one would remove the lock
 * that the faster one has just taken. So the removal itself is done under a mark of its own.
 * @param {string} path
 * @param {number | undefined} untouchedSinceMs the lock's time of touch, if it did not change for too long
 */
function removeIfStale(path, untouchedSinceMs) {
  const mark = `${path}.takeover`;
  if (!createExclusively(mark)) {
    if (ageMs(mark) > TAKEOVER_STALE_MS) rmSync(mark, { force: true });
    return;
  }
  try {
    const holder = holderOf(path);
    const gone = holder === undefined ? ageMs(path) > TAKEOVER_STALE_MS : !isAlive(holder);
    if (gone || touchedAtMs(path) === untouchedSinceMs) rmSync(path, { force: true });
  } finally {
    rmSync(mark, { force: true });
  }
}

/**
 * Does `work` while holding the lock file `path`; waits for another holder and says so once.
 * @template T
 * @param {string} path
 * @param {() => Promise<T>} work
 * @param {number} [timeoutMs]
 * @returns {Promise<T>}
 * @throws {SetupError} when the other holder does not finish in time
 */
export async function withLock(path, work, timeoutMs = LOCK_TIMEOUT_MS) {
  mkdirSync(dirname(path), { recursive: true });
  const deadline = Date.now() + timeoutMs;
  let told = false;
  let touchedMs = 0;
  let untouchedPolls = 0;
  while (!createExclusively(path)) {
    const holder = holderOf(path);
    untouchedPolls = touchedAtMs(path) === touchedMs ? untouchedPolls + 1 : 0;
    touchedMs = touchedAtMs(path);
    const untouched = untouchedPolls >= UNTOUCHED_POLLS;
    if (holder === undefined || untouched || !isAlive(holder)) {
      removeIfStale(path, untouched ? touchedMs : undefined);
    } else if (!told) {
      told = true;
      say(`process ${holder} sets this checkout up already: waiting for it`);
    }
    if (Date.now() >= deadline) {
      throw new SetupError(
        `process ${holder ?? 'unknown'} holds the set-up of this checkout for too long`,
        `end it, then: rm -f ${shellQuote(path)}`,
      );
    }
    await sleep(POLL_MS);
  }
  // The lock must go whichever way this process ends, process.exit() inside a signal handler included.
  const release = () => rmSync(path, { force: true });
  process.once('exit', release);
  const touch = setInterval(() => {
    const now = new Date();
    if (holderOf(path) === process.pid) utimesSync(path, now, now);
  }, TOUCH_MS).unref();
  try {
    return await work();
  } finally {
    clearInterval(touch);
    process.off('exit', release);
    release();
  }
}
