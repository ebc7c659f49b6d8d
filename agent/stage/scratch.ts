// Folders for tensor bytes on their way through a worker, on a RAM disk where there is one. Named after the agent's
// pid, so that what a killed agent left behind is found and removed by the next one.
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EspalierError } from '../../protocol/errors.ts';
import { isAlive } from '../../protocol/home-lock.ts';

const PREFIX = 'espalier-';

/** A RAM disk where there is one. */
export function scratchBase(): string {
  const ramDisk = '/dev/shm';
  return statSync(ramDisk, { throwIfNoEntry: false })?.isDirectory() ? ramDisk : tmpdir();
}

/** @throws EspalierError disk_full, or what else keeps it from being made */
export function makeScratchDir(): string {
  const base = scratchBase();
  try {
    return mkdtempSync(join(base, `${PREFIX}${process.pid}-`));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    throw new EspalierError('disk_full', `there is no space for a stage's scratch folder in ${base}`);
  }
}

/** Removes the folders of agents that are no more. */
export function sweepScratchDirs(dir: string = scratchBase()): string[] {
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
