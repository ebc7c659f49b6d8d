// The record of what was changed of this machine's system, in ESPALIER_HOME: one line for each change that is in force. It
// must not know how commands are run.
import { rmdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { EspalierError } from '../../protocol/errors.ts';
import { readOwnFile, removeOwnFile, writeOwnFile } from '../../protocol/home-files.ts';
import {
  changeFolder,
  RecordedChange,
  SYSTEM_CHANGES_FILE,
  type SystemChange,
} from '../../protocol/system-change.ts';

export class ChangeJournal {
  readonly path: string;
  readonly #home: string;

  /** @param home ESPALIER_HOME */
  constructor(home: string) {
    this.#home = home;
    this.path = join(home, SYSTEM_CHANGES_FILE);
  }

  /**
   * What is in force, oldest first.
   * @throws EspalierError home_damaged: what is undone runs as root, so others must not have been able to write it
   */
  read(): RecordedChange[] {
    const text = readOwnFile(this.path) ?? '';
    return text
      .split('\n')
      .flatMap((line, index) => (line.trim() === '' ? [] : [this.#parse(line, index + 1)]));
  }

  /**
   * A change that is about to be made. Of one that is in force already the first undo is kept, with its place: it brings
   * back what was there before any of them.
   * @returns what is recorded
   * @throws EspalierError home_damaged, home_not_writable
   */
  add({ id, description, needsRoot, apply, undo }: SystemChange, time = new Date()): RecordedChange {
    const records = this.read();
    const at = records.findIndex((record) => record.id === id);
    const known = records[at];
    const record = {
      time: time.toISOString(),
      id,
      description,
      needsRoot,
      apply: apply.map((argv) => [...argv]),
      undo: known?.undo ?? undo.map((argv) => [...argv]),
    };
    if (known) records[at] = record;
    else records.push(record);
    this.#write(records);
    return record;
  }

  /**
   * A change that is not in force any more; its files in the home go, too.
   * @throws EspalierError home_damaged, home_not_writable
   */
  remove({ id, time }: RecordedChange): void {
    this.#write(this.read().filter((record) => record.id !== id || record.time !== time));
    const folder = changeFolder(this.#home, id);
    rmSync(folder, { recursive: true, force: true });
    try {
      rmdirSync(dirname(folder));
    } catch {
      // it holds files of other changes, or was never made
    }
  }

  #parse(line: string, number: number): RecordedChange {
    try {
      return RecordedChange.parse(JSON.parse(line));
    } catch {
      throw new EspalierError(
        'home_damaged',
        `${this.path}, line ${number} is no record of a change: take that line out by hand; what it changed can then not be undone by Espalier`,
      );
    }
  }

  #write(records: readonly RecordedChange[]): void {
    if (records.length === 0) removeOwnFile(this.path);
    else writeOwnFile(this.path, records.map((record) => `${JSON.stringify(record)}\n`).join(''));
  }
}
