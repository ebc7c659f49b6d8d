// Where Espalier keeps its state on this machine.
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

/** ESPALIER_HOME as an absolute path, or `.espalier` in the user's home. The folder need not exist. */
export function espalierHome(environment: NodeJS.ProcessEnv = process.env): string {
  const chosen = environment.ESPALIER_HOME ?? '';
  return chosen === '' ? join(homedir(), '.espalier') : resolve(chosen);
}
