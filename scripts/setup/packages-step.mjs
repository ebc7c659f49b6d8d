// The step that installs the npm packages of package-lock.json, only when node_modules holds something else.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CI_FLAGS, findNpm, npmEnvironment } from './npm.mjs';
import { SetupError, shellQuote } from './say.mjs';

/**
 * @typedef {object} LockedPackage
 * @property {string} [version]
 * @property {string} [integrity]
 * @property {boolean} [optional]
 * @property {string | string[]} [os]
 * @property {string | string[]} [cpu]
 * @property {string | string[]} [libc]
 *
 * @typedef {{packages: Record<string, LockedPackage>}} Lockfile
 */

/**
 * @param {string | string[] | undefined} wanted
 * @param {string} have
 */
function allows(wanted, have) {
  return wanted === undefined || [wanted].flat().includes(have);
}

/**
 * Whether npm installs this package on this machine. An optional package without os and cpu hangs below one that npm
 * left out, or is there: its absence says nothing.
 * @param {LockedPackage} locked
 * @param {{platform: string, arch: string}} machine
 */
function isWanted(locked, { platform, arch }) {
  if (!locked.optional) return true;
  if (locked.os === undefined && locked.cpu === undefined) return false;
  // glibc is the only C library that node-mlx's Linux binary works with
  return allows(locked.os, platform) && allows(locked.cpu, arch) && allows(locked.libc, 'glibc');
}

/**
 * Compares package-lock.json with the lock that npm keeps inside node_modules (it writes that last, so an
 * installation that was broken off has none). Better than a stamp of our own: an `npm ci` by hand counts, and a
 * node_modules that was copied from another platform does not.
 * @param {Lockfile} lock
 * @param {Lockfile | undefined} installed undefined when there is none
 * @param {{platform: string, arch: string}} machine
 * @returns {string | undefined} the first package that is missing or another one
 */
export function firstDifference(lock, installed, machine) {
  for (const [path, locked] of Object.entries(lock.packages)) {
    if (path === '') continue;
    const there = installed?.packages[path];
    if (there === undefined ? isWanted(locked, machine) : there.integrity !== locked.integrity) {
      return path.replace(/^.*node_modules\//, '');
    }
  }
  return undefined;
}

/**
 * @param {string} path
 * @returns {Lockfile | undefined} undefined when it is missing or damaged
 */
function readLock(path) {
  try {
    const lock = JSON.parse(readFileSync(path, 'utf8'));
    return typeof lock?.packages === 'object' ? lock : undefined;
  } catch {
    return undefined;
  }
}

/** @type {import('./steps.mjs').Step} */
export const packagesStep = {
  name: 'packages',
  due(context) {
    const lock = readLock(join(context.root, 'package-lock.json'));
    if (lock === undefined) {
      throw new SetupError(
        'package-lock.json cannot be read',
        `cd ${shellQuote(context.root)} && git checkout -- package-lock.json`,
      );
    }
    const installed = readLock(join(context.root, 'node_modules/.package-lock.json'));
    if (installed === undefined) return 'installing the packages (npm ci)';
    const name = firstDifference(lock, installed, context);
    return name && `installing the packages anew (npm ci): ${name} is not as package-lock.json has it`;
  },
  async perform(context) {
    const npm = findNpm(context.env, context.execPath);
    const { exitCode } = await context.run(
      context.node(),
      [npm, 'ci', '--prefix', context.root, ...CI_FLAGS],
      {
        cwd: context.root,
        stdio: ['ignore', 'ignore', 2],
        env: npmEnvironment(context.env, context.root, join(context.setupDir, 'npm-cache')),
      },
    );
    if (exitCode !== 0) {
      throw new SetupError(
        `npm ci failed with exit code ${exitCode}; its reason stands above`,
        `cd ${shellQuote(context.root)} && npm ci --ignore-scripts   (once the network and the registry answer), then: npm start`,
      );
    }
    if (this.due(context) !== undefined) {
      throw new SetupError(
        'npm ci left out a package that this machine needs',
        `cd ${shellQuote(context.root)} && npm ci --ignore-scripts --include=optional --include=dev`,
      );
    }
  },
};
