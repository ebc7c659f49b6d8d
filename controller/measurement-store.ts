// The measurements of nodes in a file of the controller's home. Nothing depends on it: a file that is gone or damaged only
// means that the next plan is made from estimates again.
import { join } from 'node:path';
import type { Logger } from 'pino';
import { LatestFile } from './latest-file.ts';
import { Measurements } from './planner/measurements.ts';

const FILE = 'measurements.json';
/** At most this often while stages report. */
const SAVE_INTERVAL_MS = 60_000;

export class MeasurementStore {
  readonly #file: LatestFile;
  #savedAt = Number.NEGATIVE_INFINITY;
  #saved = textOf({});

  private constructor(file: LatestFile) {
    this.#file = file;
  }

  /** @param home ESPALIER_HOME, which exists */
  static async open(
    home: string,
    log: Logger,
  ): Promise<{ store: MeasurementStore; measurements: Measurements }> {
    const store = new MeasurementStore(new LatestFile(join(home, FILE), log));
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
    if (text === this.#saved) return this.#file.idle();
    this.#saved = text;
    return this.#file.write(() => text);
  }

  async #read(): Promise<Measurements> {
    const parse = (text: string) => Measurements.parse(JSON.parse(text));
    const measurements = (await this.#file.read(parse, 'plans are made from estimates')) ?? {};
    this.#saved = textOf(measurements);
    return measurements;
  }
}

function textOf(measurements: Measurements): string {
  return `${JSON.stringify(measurements, null, 2)}\n`;
}
