// Where the wizard left off, in ESPALIER_HOME. It must not know what the steps do.
import { join } from 'node:path';
import { FRESH, SetupState } from '../../dashboard/setup/order.ts';
import { EspalierError } from '../../protocol/errors.ts';
import { readOwnFile, writeOwnFile } from '../../protocol/home-files.ts';

const FILE = 'setup.json';

/** @throws EspalierError home_damaged */
export function readSetup(home: string): SetupState {
  const path = join(home, FILE);
  const text = readOwnFile(path);
  if (text === undefined) return FRESH;
  try {
    return SetupState.parse(JSON.parse(text));
  } catch {
    throw new EspalierError(
      'home_damaged',
      `${path} is not understood: \`espalier setup --restart\` begins anew; nothing but the wizard's place is lost`,
    );
  }
}

/** @throws EspalierError home_not_writable */
export function saveSetup(home: string, state: SetupState): void {
  writeOwnFile(join(home, FILE), `${JSON.stringify(state, null, 2)}\n`);
}
