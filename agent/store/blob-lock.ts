// One writer a blob, over all processes of this machine: a file that its holder touches. Who is killed leaves it behind,
// and it is taken over when it has not been touched for a while. It must not know what is written.
import { randomBytes } from 'node:crypto';
import { readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { isAlive } from '../../protocol/home-lock.ts';

const TOUCH_MS = 1_000;
/** A machine under load may come late; a suspended process is found out by its token when it goes on. */
const STALE_MS = 10_000;

export class BlobLock {
  readonly #path: string;
  readonly #text: string;
  readonly #touch: NodeJS.Timeout;

  private constructor(path: string, text: string) {
    this.#path = path;
    this.#text = text;
    this.#touch = setInterval(() => {
      const now = new Date();
      utimes(path, now, now).catch(() => undefined);
    }, TOUCH_MS);
    this.#touch.unref();
  }

  /** @returns undefined while somebody else has it; @throws Error of the file system */
  static async take(path: string): Promise<BlobLock | undefined> {
    const text = `${process.pid} ${randomBytes(8).toString('hex')}`;
    if (!(await tryMake(path, text))) {
      if (!(await isStale(path))) return undefined;
      await rm(path, { force: true });
      if (!(await tryMake(path, text))) return undefined;
    }
    return new BlobLock(path, text);
  }

  /** Whether it was not taken over: then what was written is this holder's alone. */
  async isHeld(): Promise<boolean> {
    return (await readFile(this.#path, 'utf8').catch(() => '')) === this.#text;
  }

  async release(): Promise<void> {
    clearInterval(this.#touch);
    if (await this.isHeld()) await rm(this.#path, { force: true });
  }
}

async function tryMake(path: string, text: string): Promise<boolean> {
  try {
    await writeFile(path, text, { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

async function isStale(path: string): Promise<boolean> {
  const [info, text] = await Promise.all([
    stat(path).catch(() => undefined),
    readFile(path, 'utf8').catch(() => ''),
  ]);
  if (!info) return true;
  if (Date.now() - info.mtimeMs > STALE_MS) return true;
  const pid = Number(text.split(' ')[0]);
  return Number.isInteger(pid) && pid > 0 && !isAlive(pid);
}
