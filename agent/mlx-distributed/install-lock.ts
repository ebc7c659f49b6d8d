// One process at a time installs: an agent and a command line may both want to. The lock names its holder, and that of a
// process that is no more does not count.
import { link, readFile, rm, writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { EspalierError } from '../../protocol/errors.ts';
import { isAlive } from '../../protocol/home-lock.ts';
import { ENGINE_INSTALL_TIMEOUT_MS } from '../../protocol/limits.ts';

const LOOK_EVERY_MS = 500;

export class InstallLock implements AsyncDisposable {
  readonly #path: string;

  private constructor(path: string) {
    this.#path = path;
  }

  /**
   * Waits until the lock is free.
   * @throws EspalierError engine_install_failed when its holder takes longer than an installation may
   */
  static async take(path: string, say: (line: string) => void): Promise<InstallLock> {
    const deadline = performance.now() + ENGINE_INSTALL_TIMEOUT_MS;
    for (let isFirst = true; ; isFirst = false) {
      if (await made(path)) return new InstallLock(path);
      const holder = Number(await readFile(path, 'utf8').catch(() => ''));
      if (holder !== process.pid && !isAlive(holder)) await rm(path, { force: true });
      else if (isFirst) say(`waiting for process ${holder || '?'}, which installs it already`);
      if (performance.now() > deadline)
        throw new EspalierError('engine_install_failed', `${path} is held by process ${holder}; remove it`);
      await delay(LOOK_EVERY_MS);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#path, { force: true });
  }
}

/** A link appears with its holder's number in it, or not at all. */
async function made(path: string): Promise<boolean> {
  const own = `${path}.${process.pid}`;
  try {
    await writeFile(own, String(process.pid));
    await link(own, path);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return false;
    throw new EspalierError('home_not_writable', `${path} cannot be made (${code})`);
  } finally {
    await rm(own, { force: true });
  }
}
