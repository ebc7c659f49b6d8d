// Where Espalier keeps its state on this machine.
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

/**
 * Where engines are installed: `engines` below ESPALIER_HOME. ESPALIER_ENGINES lets several homes on one machine share
 * one, as the demo's agents do.
 */
export function enginesDir(environment: NodeJS.ProcessEnv = process.env): string {
  const chosen = environment.ESPALIER_ENGINES ?? '';
  return chosen === '' ? join(espalierHome(environment), 'engines') : resolve(chosen);
}

/** ESPALIER_HOME as an absolute path, or `.espalier` in the user's home. The folder need not exist. */
export function espalierHome(environment: NodeJS.ProcessEnv = process.env): string {
  const chosen = environment.ESPALIER_HOME ?? '';
  return chosen === '' ? join(homedir(), '.espalier') : resolve(chosen);
}
