// Shows a change of the system as its exact commands on a terminal, and asks whether it is wanted. It must not know what
// the commands do.
import { createInterface } from 'node:readline/promises';
import { EspalierError } from '../../protocol/errors.ts';

export interface ChangeQuestion {
  description: string;
  /** each as it is run */
  commands: readonly string[];
  /** answered already */
  yes: boolean;
}

/**
 * @returns whether it is wanted
 * @throws EspalierError bad_option where nobody can be asked
 */
export async function askChange({ description, commands, yes }: ChangeQuestion): Promise<boolean> {
  console.log(`${description}\n${commands.map((command) => `  ${command}`).join('\n')}`);
  return yes || isWanted();
}

/**
 * Asks whether to do what was shown.
 * @throws EspalierError bad_option where nobody can be asked
 */
export async function isWanted(): Promise<boolean> {
  if (!process.stdin.isTTY) {
    throw new EspalierError(
      'bad_option',
      'nobody can be asked here whether this is wanted: add --yes, or run it in a terminal',
    );
  }
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  try {
    return /^y(es)?$/i.test((await terminal.question('Do it? [y/N] ')).trim());
  } catch {
    return false; // the terminal was closed
  } finally {
    terminal.close();
  }
}
