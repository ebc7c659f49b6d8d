// Files under ESPALIER_HOME that hold keys or say who is trusted: written whole or not at all, and read only when nobody
// else could have read or changed them. It must not know what they hold.
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { EspalierError } from './errors.ts';
import { MAX_HOME_FILE_BYTES } from './limits.ts';

const OTHERS = 0o077;
const OTHERS_WRITE = 0o022;

/**
 * The text of a file that only its owner may read.
 * @returns undefined when there is none
 * @throws EspalierError home_damaged when others may read it, or when it cannot be read
 */
export function readOwnFile(path: string): string | undefined {
  try {
    const { mode, size } = statSync(path);
    if (mode & OTHERS) throw openToOthers(path, mode, '600');
    const folder = dirname(path);
    const { mode: folderMode } = statSync(folder);
    if (folderMode & OTHERS_WRITE) throw openToOthers(folder, folderMode, '700');
    if (size > MAX_HOME_FILE_BYTES) throw new EspalierError('home_damaged', `${path} is ${size} bytes long`);
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof EspalierError) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    throw new EspalierError('home_damaged', `${path} cannot be read: ${message}`);
  }
}

/**
 * Replaces a file, or makes it; after a crash it is the old one or the new one. Mode 600, its folder 700.
 * @throws EspalierError home_not_writable
 */
export function writeOwnFile(path: string, text: string): void {
  withTemporary(path, text, (temporary) => renameSync(temporary, path));
}

/**
 * Makes a file unless it is there.
 * @returns false when it was there; it is as it was
 * @throws EspalierError home_not_writable
 */
export function createOwnFile(path: string, text: string): boolean {
  return withTemporary(path, text, (temporary) => {
    try {
      linkSync(temporary, path); // unlike rename it takes nothing's place
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
      throw error;
    } finally {
      rmSync(temporary, { force: true });
    }
  });
}

/** Removes a file; one that is not there is gone already. @throws EspalierError home_not_writable */
export function removeOwnFile(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch (error) {
    throw notWritable(path, error);
  }
}

function withTemporary<T>(path: string, text: string, use: (temporary: string) => T): T {
  const temporary = `${path}.${process.pid}-${randomBytes(4).toString('hex')}`;
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const file = openSync(temporary, 'wx', 0o600);
    try {
      writeSync(file, text);
      fsyncSync(file); // a rename may be on the disk before what it renames
    } finally {
      closeSync(file);
    }
    return use(temporary);
  } catch (error) {
    try {
      rmSync(temporary, { force: true });
    } catch {
      // what could not be made is not there
    }
    throw notWritable(path, error);
  }
}

function notWritable(path: string, error: unknown): EspalierError {
  return new EspalierError('home_not_writable', `${path} cannot be written: ${(error as Error).message}`);
}

function openToOthers(path: string, mode: number, wanted: string): EspalierError {
  const octal = (mode & 0o777).toString(8);
  const what =
    wanted === '600'
      ? `Others may have read it: remove it, or, if you know that nobody did, \`chmod 600 ${path}\``
      : `Others may have changed what is in it: look, then \`chmod 700 ${path}\``;
  return new EspalierError(
    'home_damaged',
    `${path} has mode ${octal}, and should have ${wanted}. ${what}, and start again.`,
  );
}
