// The step that provides a Node that is new enough: the one that runs us, else one from the npm registry, kept in the
// checkout's own `.setup` folder: node_modules would lose it to the next `npm ci`, and HOME may be read-only.
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CI_FLAGS, findNpm, npmEnvironment } from './npm.mjs';
import { nodePackage, satisfies } from './platform.mjs';
import { SetupError, shellQuote } from './say.mjs';

/** The committed package.json and package-lock.json: exact versions and checksums. */
const RECIPE = fileURLToPath(new URL('./node/', import.meta.url));
const RECIPE_FILES = ['package.json', 'package-lock.json'];

/** @typedef {import('./steps.mjs').Context} Context */

/** @param {Context} context */
function bringFolder(context) {
  return join(context.setupDir, 'node');
}

/** @param {Context} context */
function broughtNode(context) {
  const name = nodePackage(context.platform, context.arch);
  return join(bringFolder(context), 'node_modules', name, 'bin/node');
}

/**
 * Whether the brought Node is the one of the recipe. npm's hidden lock is written last, so a Node without it was
 * installed by half.
 * @param {Context} context
 */
function isBrought(context) {
  const folder = bringFolder(context);
  return (
    existsSync(broughtNode(context)) &&
    existsSync(join(folder, 'node_modules/.package-lock.json')) &&
    RECIPE_FILES.every((file) => sameFile(join(RECIPE, file), join(folder, file)))
  );
}

/**
 * @param {string} one
 * @param {string} other
 */
function sameFile(one, other) {
  return existsSync(other) && readFileSync(one).equals(readFileSync(other));
}

/**
 * The Node that all later steps and the command itself run with.
 * @param {Context} context
 * @returns {string | undefined} undefined when none is there yet
 */
export function chosenNode(context) {
  if (satisfies(context.nodeVersion, context.nodeRange)) return context.execPath;
  return isBrought(context) ? broughtNode(context) : undefined;
}

/** @type {import('./steps.mjs').Step} */
export const nodeStep = {
  name: 'node',
  due(context) {
    if (chosenNode(context) !== undefined) return undefined;
    const name = nodePackage(context.platform, context.arch);
    return `Node ${context.nodeVersion} is too old (${context.nodeRange} is needed): bringing one along (npm package ${name})`;
  },
  async perform(context) {
    const folder = bringFolder(context);
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    for (const file of RECIPE_FILES) copyFileSync(join(RECIPE, file), join(folder, file));
    const npm = findNpm(context.env, context.execPath);
    const { exitCode } = await context.run(context.execPath, [npm, 'ci', '--prefix', folder, ...CI_FLAGS], {
      cwd: folder,
      stdio: ['ignore', 'ignore', 2],
      env: npmEnvironment(context.env, context.root, join(context.setupDir, 'npm-cache')),
    });
    const name = nodePackage(context.platform, context.arch);
    const node = broughtNode(context);
    // npm leaves out an optional package that it cannot download, and calls that a success.
    if (exitCode !== 0 || !existsSync(node)) {
      rmSync(join(folder, 'node_modules'), { recursive: true, force: true });
      throw new SetupError(
        `npm could not install ${name}, a Node that is new enough (no network, or no registry?)`,
        `see what npm says to: npm view ${name} dist.integrity   then: npm start   ` +
          `(or install Node ${context.nodeRange} yourself: https://nodejs.org)`,
      );
    }
    const check = await context.run(node, ['--version'], { stdio: ['ignore', 'pipe', 'pipe'] });
    if (check.exitCode !== 0) {
      rmSync(join(folder, 'node_modules'), { recursive: true, force: true });
      throw new SetupError(
        `the Node from ${name} does not run here: ${check.output.trim() || `exit code ${check.exitCode}`}`,
        `install Node ${context.nodeRange} yourself (https://nodejs.org), then: cd ${shellQuote(context.root)} && npm start`,
      );
    }
  },
};
