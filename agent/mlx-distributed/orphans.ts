// Ranks of agents that are no more. A rank ends itself when its agent's pipe closes, but one that is stopped (SIGSTOP)
// cannot: the next agent on the machine ends it. The same for what an installation was doing when it was killed.
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isAlive } from '../../protocol/home-lock.ts';

const NOTE = 'rank.pid';
const PS_TIMEOUT_MS = 2_000;

/** Notes which rank works with a scratch folder. */
export function noteRank(scratchDir: string, pid: number): void {
  writeFileSync(join(scratchDir, NOTE), String(pid));
}

/**
 * Ends ranks whose agents are gone. To be called before their folders are swept.
 * @param dir where scratch folders are made
 * @returns the ended processes
 */
export function endOrphans(dir: string): number[] {
  const ended: number[] = [];
  for (const name of readdirSync(dir)) {
    const agent = Number(/^espalier-(\d+)-/.exec(name)?.[1]);
    if (!Number.isInteger(agent) || isAlive(agent)) continue;
    const pid = Number(readNote(join(dir, name, NOTE)));
    // a number is used again: only a process that runs a rank is one
    if (!Number.isInteger(pid) || pid <= 1 || !commandOf(pid).includes('mlx-distributed/rank.py')) continue;
    try {
      process.kill(pid, 'SIGKILL');
      ended.push(pid);
    } catch {
      // another user's, or gone in between
    }
  }
  return ended;
}

function readNote(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/**
 * Ends what a killed installation left running, which would write into the environment of the next one.
 * @param note holds the number of its process @param folder that its command names
 */
export function endLeftover(note: string, folder: string): void {
  const pid = Number(readNote(note));
  if (!Number.isInteger(pid) || pid <= 1 || !commandOf(pid).includes(folder)) return;
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // gone in between
  }
}

function commandOf(pid: number): string {
  try {
    return execFileSync('ps', ['-ww', '-o', 'command=', '-p', String(pid)], {
      encoding: 'utf8',
      timeout: PS_TIMEOUT_MS,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
  } catch {
    return '';
  }
}
