// Finds npm and the environment it can work in. It must not know what is installed.
import { accessSync, constants, existsSync, realpathSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, delimiter, dirname, join, relative, resolve } from 'node:path';
import { SetupError } from './say.mjs';

/**
 * Flags of every `npm ci` that the set-up runs. They stand on the command line because npm hands its own options on
 * in the environment: `npm test --silent`, NODE_ENV=production or `omit=dev` must not change what is installed.
 */
export const CI_FLAGS = Object.freeze([
  '--ignore-scripts',
  '--include=dev',
  '--include=optional',
  '--no-audit',
  '--no-fund',
  '--no-progress',
  '--no-update-notifier',
  '--loglevel=error',
  // npm waits 10 s and 60 s by default before it says that there is no network
  '--fetch-retries=3',
  '--fetch-retry-mintimeout=1000',
  '--fetch-retry-maxtimeout=8000',
]);

/**
 * The program `name` on a search path.
 * @param {string} name
 * @param {string | undefined} searchPath as PATH
 */
export function onPath(name, searchPath) {
  return (searchPath ?? '')
    .split(delimiter)
    .filter((folder) => folder !== '')
    .map((folder) => join(folder, name))
    .find((file) => isUsable(file, constants.X_OK));
}

/**
 * @param {string} path
 * @param {number} mode
 */
function isUsable(path, mode) {
  try {
    accessSync(path, mode);
    return true;
  } catch {
    return false;
  }
}

/**
 * npm's own script, to be run by whichever Node we choose: the npm that started us, else the one on PATH, else the
 * one beside the Node that runs us.
 * @param {NodeJS.ProcessEnv} env
 * @param {string} execPath
 * @throws {SetupError} when there is none
 */
export function findNpm(env, execPath) {
  const fromPath = onPath('npm', env.PATH);
  const candidates = [
    env.npm_execpath,
    fromPath && realpathSync(fromPath),
    resolve(dirname(execPath), '../lib/node_modules/npm/bin/npm-cli.js'),
  ];
  const found = candidates.find((path) => path && basename(path) === 'npm-cli.js' && existsSync(path));
  if (found === undefined || found === '') {
    throw new SetupError(
      'npm was not found, and the packages are installed with it',
      'put the folder of npm (it comes with Node: https://nodejs.org) on PATH, then: npm start',
    );
  }
  return found;
}

/**
 * The environment for npm: with a cache of the checkout's own where the usual one cannot be written (HOME empty,
 * missing or read-only).
 * @param {NodeJS.ProcessEnv} env
 * @param {string} root the checkout
 * @param {string} ownCache the folder to use instead
 * @returns {NodeJS.ProcessEnv}
 */
export function npmEnvironment(env, root, ownCache) {
  const home = env.HOME ?? homedir();
  // npm, started with an empty HOME, takes "~" for the name of a folder right here
  const inherited = env.npm_config_cache;
  const misplaced =
    inherited !== undefined && !relative(root, inherited).startsWith('..') && inherited !== ownCache;
  const cache =
    inherited !== undefined && !misplaced ? inherited : home !== '' ? join(home, '.npm') : undefined;
  if (cache !== undefined && isWritable(cache)) return misplaced ? { ...env, npm_config_cache: cache } : env;
  return { ...env, npm_config_cache: ownCache };
}

/**
 * Whether a folder can be written, or be made.
 * @param {string} folder
 */
function isWritable(folder) {
  let path = folder;
  while (!existsSync(path) && dirname(path) !== path) path = dirname(path);
  return statSync(path).isDirectory() && isUsable(path, constants.W_OK);
}
