// The measurements of nodes in a file of the controller's home. Nothing depends on it: a file that is gone or damaged only
// means that the next plan is made from estimates again.
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { Measurements } from './planner/measurements.ts';

const FILE = 'measurements.json';
/** At most this often while stages report. */
const SAVE_INTERVAL_MS = 60_000;

export class MeasurementStore {
  readonly #path: string;
  readonly #log: Logger;
  #savedAt = Number.NEGATIVE_INFINITY;
  #saved = textOf({});
  #saving: Promise<void> = Promise.resolve();

  private constructor(path: string, log: Logger) {
    this.#path = path;
    this.#log = log;
  }

  /** @param home ESPALIER_HOME, which exists */
  static async open(
    home: string,
    log: Logger,
  ): Promise<{ store: MeasurementStore; measurements: Measurements }> {
    const store = new MeasurementStore(join(home, FILE), log);
    return { store, measurements: await store.#read() };
  }

  /** Writes them, unless that was done a short while ago. @param now milliseconds on a clock that never jumps */
  note(measurements: Measurements, now: number): void {
    if (now - this.#savedAt < SAVE_INTERVAL_MS) return;
    this.#savedAt = now;
    void this.save(measurements);
  }

  /** Writes them; resolves when they are on the disk, or could not be written. */
  save(measurements: Measurements): Promise<void> {
    const text = textOf(measurements);
    if (text === this.#saved) return this.#saving;
    this.#saved = text;
    const temporary = `${this.#path}.new`;
    this.#saving = this.#saving
      .then(() => writeFile(temporary, text))
      .then(() => rename(temporary, this.#path))
      .catch((error: unknown) => this.#log.warn({ err: error }, `${this.#path} could not be written`));
    return this.#saving;
  }

  async #read(): Promise<Measurements> {
    try {
      const measurements = Measurements.parse(JSON.parse(await readFile(this.#path, 'utf8')));
      this.#saved = textOf(measurements);
      return measurements;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
        this.#log.warn({ err: error }, `${this.#path} cannot be used: plans are made from estimates`);
      return {};
    }
  }
}

function textOf(measurements: Measurements): string {
  return `${JSON.stringify(measurements, null, 2)}\n`;
}
