// The journal of what Espalier changed in the system: one JSON line for each change, with the commands that undo it. It must
// not know what is changed.
import { appendFileSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { EspalierError } from '../../../protocol/errors.ts';

export const JOURNAL_FILE = 'system-changes.jsonl';

export interface SystemChange {
  /** ISO 8601 */
  time: string;
  /** the id of the finding that it mends */
  finding: string;
  apply: readonly (readonly string[])[];
  undo: readonly (readonly string[])[];
}

/** @param home ESPALIER_HOME; @throws EspalierError home_not_writable */
export function recordChange(home: string, change: SystemChange): void {
  const path = join(home, JOURNAL_FILE);
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    appendFileSync(path, `${JSON.stringify(change)}\n`, { mode: 0o600, flush: true });
  } catch (error) {
    throw new EspalierError('home_not_writable', `${path} cannot be written: ${(error as Error).message}`);
  }
}
