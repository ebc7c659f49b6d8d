// Writes a settings file of another program: never without a copy of what was there, and whole or not at all.
// It must not know what is in it.
import { chmod, copyFile, mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { createTwoFilesPatch } from 'diff';

/** The text of a file; undefined where there is none. */
export async function readSettings(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
}

/** What a change does to a file, for people; empty where it does nothing. */
export function changeText(path: string, before: string | undefined, after: string): string {
  if (before === after) return '';
  return createTwoFilesPatch(
    path,
    path,
    before ?? '',
    after,
    before === undefined ? 'not there' : 'now',
    'then',
  );
}

/** @returns the path of the copy; undefined where there was nothing to copy */
export async function writeSettings(
  path: string,
  before: string | undefined,
  after: string,
): Promise<string | undefined> {
  await mkdir(dirname(path), { recursive: true });
  const stamp = new Date().toISOString().replaceAll(/[:.]/g, '-');
  const copy = before === undefined ? undefined : `${path}.${stamp}.backup`;
  if (copy !== undefined) await copyFile(path, copy);
  const whole = `${path}.espalier-new`;
  // it may hold a key
  await writeFile(whole, after, { mode: 0o600 });
  if (before !== undefined) await chmod(whole, (await stat(path)).mode);
  await rename(whole, path);
  return copy;
}
