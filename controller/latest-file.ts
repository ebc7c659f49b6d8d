// A file of the controller's home that nothing depends on: written whole, in the order of the calls, and what is out of
// date before its turn comes is not written at all. A file that cannot be written costs a line of log.
import { readFile, rename, writeFile } from 'node:fs/promises';
import type { Logger } from 'pino';

export class LatestFile {
  readonly path: string;
  readonly #log: Logger;
  #next: (() => string) | undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor(path: string, log: Logger) {
    this.path = path;
    this.#log = log;
  }

  /**
   * At most one write runs and one waits, however often it is called.
   * @param text asked for when it is written
   * @returns resolves when this text or a later one is on the disk, or could not be written
   */
  write(text: () => string): Promise<void> {
    const isWaiting = this.#next !== undefined;
    this.#next = text;
    if (!isWaiting) this.#writing = this.#writing.then(() => this.#replace());
    return this.#writing;
  }

  /** Resolves when nothing is being written. */
  idle(): Promise<void> {
    return this.#writing;
  }

  /**
   * What `parse` makes of its text.
   * @param without what is to be done without it, for the log
   * @returns undefined when there is none, or `parse` throws
   */
  async read<T>(parse: (text: string) => T, without: string): Promise<T | undefined> {
    try {
      return parse(await readFile(this.path, 'utf8'));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
        this.#log.warn({ err: error }, `${this.path} cannot be used: ${without}`);
      return undefined;
    }
  }

  async #replace(): Promise<void> {
    const text = this.#next?.() ?? '';
    this.#next = undefined;
    try {
      await writeFile(`${this.path}.new`, text, { mode: 0o600 });
      await rename(`${this.path}.new`, this.path);
    } catch (error) {
      this.#log.warn({ err: error }, `${this.path} could not be written`);
    }
  }
}
