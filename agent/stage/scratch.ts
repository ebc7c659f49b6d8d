// Folders for tensor bytes on their way through a worker, on a RAM disk where there is one. Named after the agent's
// pid, so that what a killed agent left behind is found and removed by the next one.
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isAlive } from '../../protocol/home-lock.ts';

const PREFIX = 'espalier-';

function baseDir(): string {
  const ramDisk = '/dev/shm';
  return statSync(ramDisk, { throwIfNoEntry: false })?.isDirectory() ? ramDisk : tmpdir();
}

export function makeScratchDir(): string {
  return mkdtempSync(join(baseDir(), `${PREFIX}${process.pid}-`));
}

/** Removes the folders of agents that are no more. */
export function sweepScratchDirs(dir: string = baseDir()): string[] {
  const removed: string[] = [];
  for (const name of readdirSync(dir)) {
    const pid = Number(new RegExp(`^${PREFIX}(\\d+)-`).exec(name)?.[1]);
    if (!Number.isInteger(pid) || isAlive(pid)) continue;
    try {
      rmSync(join(dir, name), { recursive: true, force: true });
      removed.push(name);
    } catch {
      // another user's: not ours to remove, and no reason not to start
    }
  }
  return removed;
}
