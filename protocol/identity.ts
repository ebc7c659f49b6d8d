// Who this agent or controller is, for good: an Ed25519 key under ESPALIER_HOME, and an id from it. A node that comes
// back is the same node, never a ghost.
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
} from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EspalierError } from './errors.ts';

/** Keeps a home to one process of a role at a time: two with the same identity would end each other for ever. */
function lockHome(home: string, role: string): void {
  const path = join(home, `${role}.pid`);
  const holder = Number(readText(path));
  if (Number.isInteger(holder) && holder > 0 && holder !== process.pid && isAlive(holder)) {
    throw new EspalierError(
      'home_in_use',
      `${home} belongs to the ${role} that runs as process ${holder} (if that is another program, remove ${path})`,
    );
  }
  writeFileSync(path, `${process.pid}\n`, { mode: 0o600 });
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

export interface Identity {
  /** 16 hexadecimal digits of the public key's sha256 */
  id: string;
  key: KeyObject;
}

/**
 * Reads the key of a role, or makes it at the first start.
 * @param home ESPALIER_HOME; the key is the file `<role>.key` in it, mode 600
 * @throws EspalierError home_in_use; bad_option when the folder cannot be written or the key file is damaged
 */
export function loadIdentity(home: string, role: 'agent' | 'controller'): Identity {
  const path = join(home, `${role}.key`);
  const key = readKey(path) ?? makeKey(home, path);
  lockHome(home, role);
  const der = createPublicKey(key).export({ type: 'spki', format: 'der' });
  return { id: createHash('sha256').update(der).digest('hex').slice(0, 16), key };
}

function readKey(path: string): KeyObject | undefined {
  let pem: string;
  try {
    pem = readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
  try {
    return createPrivateKey(pem);
  } catch {
    throw new EspalierError('bad_option', `${path} is no key: remove it, and a new identity is made`);
  }
}

function makeKey(home: string, path: string): KeyObject {
  const { privateKey } = generateKeyPairSync('ed25519');
  try {
    mkdirSync(home, { recursive: true, mode: 0o700 });
    writeFileSync(path, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600, flag: 'wx' });
  } catch (error) {
    // another process with this home may have made it in between
    const made = (error as NodeJS.ErrnoException).code === 'EEXIST' ? readKey(path) : undefined;
    if (made) return made;
    throw new EspalierError(
      'bad_option',
      `${home} cannot be written (${(error as Error).message}): set ESPALIER_HOME`,
    );
  }
  return privateKey;
}
