// Keeps a home to one process of a role at a time: two with the same identity would end each other for ever.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EspalierError } from './errors.ts';

/**
 * Takes a home for this process, until it ends.
 * @throws EspalierError home_in_use, home_not_writable
 */
export function lockHome(home: string, role: 'agent' | 'controller'): void {
  const path = join(home, `${role}.pid`);
  const holder = Number(readText(path));
  if (Number.isInteger(holder) && holder > 0 && holder !== process.pid && isAlive(holder)) {
    throw new EspalierError(
      'home_in_use',
      `${home} belongs to the ${role} that runs as process ${holder} (if that is another program, remove ${path})`,
    );
  }
  try {
    mkdirSync(home, { recursive: true, mode: 0o700 });
    writeFileSync(path, `${process.pid}\n`, { mode: 0o600 });
  } catch (error) {
    throw new EspalierError('home_not_writable', `${home} cannot be written: ${(error as Error).message}`);
  }
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
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
