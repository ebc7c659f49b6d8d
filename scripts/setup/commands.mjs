// What each command of package.json runs once the set-up is done: arguments for Node, nothing else. It must not
// start anything.
import { existsSync, readdirSync, statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { isAbsolute, join, relative, resolve, sep } from 'node:path';
import { findNpm } from './npm.mjs';
import { SetupError } from './say.mjs';

/**
 * @typedef {object} Invocation
 * @property {readonly string[]} args for Node
 * @property {string} cwd
 * @property {boolean} [ownsInterrupt] on a terminal, Ctrl-C is the program's own affair
 *
 * @typedef {object} Place
 * @property {string} root the checkout
 * @property {string} startDir where the user stands: paths in arguments are relative to it
 * @property {NodeJS.ProcessEnv} [env]
 */

export const COMMANDS = Object.freeze(['espalier', 'test', 'bench', 'soak', 'check', 'build', 'package']);

/**
 * @param {string} command one of COMMANDS
 * @param {readonly string[]} args
 * @param {Place} place
 * @returns {readonly Invocation[]} to be run one after the other; every one, even if one fails
 * @throws {SetupError} when an argument names nothing
 */
export function invocations(command, args, { root, startDir, env = {} }) {
  const dist = (/** @type {string} */ path) => join(root, 'dist', path);
  const tool = (/** @type {string} */ path) => join(root, 'node_modules', path);
  switch (command) {
    case 'espalier':
      return [
        {
          args: [dist('scripts/cli/main.js'), ...args],
          cwd: startDir,
          // a conversation: Ctrl-C stops the answer that is running, not the program
          ownsInterrupt: args[0] === 'chat',
        },
      ];
    case 'bench':
      return [{ args: [dist('scripts/bench/main.js'), ...args], cwd: startDir }];
    case 'soak':
      return [{ args: [dist('scripts/lab/soak-main.js'), ...args], cwd: startDir }];
    case 'test':
      return [
        {
          args: [
            '--enable-source-maps',
            '--test',
            '--test-reporter=spec',
            // a test that hangs is a failure, not a run without end
            '--test-timeout=300000',
            // many tests wait for deadlines of real processes: on two cores the runner's own choice, one file at a time, idles
            `--test-concurrency=${Math.max(2, availableParallelism() - 1)}`,
            ...testArguments(args, { root, startDir }),
          ],
          cwd: root,
        },
      ];
    case 'check':
      return [
        // without the build's notes: a check leaves nothing behind
        {
          args: [tool('typescript/bin/tsc'), '--noEmit', '-p', 'tsconfig.json', '--incremental', 'false'],
          cwd: root,
        },
        // the web view knows a browser, and no Node.js
        { args: [tool('typescript/bin/tsc'), '-p', 'controller/web/tsconfig.json'], cwd: root },
        { args: [tool('@biomejs/biome/bin/biome'), 'check', ...(args.length > 0 ? args : ['.'])], cwd: root },
      ];
    case 'package':
      // `npm pack` alone would pack whatever dist/ holds: .npmrc keeps npm from running scripts, prepack included
      return [
        {
          args: [findNpm(env, process.execPath), 'pack', '--pack-destination', startDir, ...args],
          cwd: root,
        },
      ];
    default:
      return [];
  }
}

/**
 * The runner's options as they are, and each named test (`test/engine/foo.test.ts`, or a folder) as its compiled
 * file; all tests when none is named. The files are listed here because the runner calls a pattern without a match
 * a success.
 * @param {readonly string[]} args
 * @param {Place} place
 */
export function testArguments(args, { root, startDir }) {
  /** @type {string[]} */
  const options = [];
  /** @type {string[]} */
  const files = [];
  for (const [index, arg] of args.entries()) {
    if (arg.startsWith('-')) {
      options.push(arg);
      continue;
    }
    const found = compiledTests(arg, { root, startDir });
    if (found.length > 0) {
      files.push(...found);
    } else if (/^--?[^=]+$/.test(args[index - 1] ?? '')) {
      options.push(arg); // the value of the option before it
    } else {
      throw new SetupError(
        `there is no test "${arg}"`,
        'name a file or folder below test/, for example: npm test -- test/controller/reasoning.test.ts',
      );
    }
  }
  const all = files.length > 0 ? files : testsBelow(join(root, 'dist/test'));
  if (all.length === 0) throw new SetupError('there are no tests in dist/test', 'rm -rf dist && npm test');
  // The lab takes as long as half of all others, and mostly waits: begun last, it would end alone. The runner sorts files by
  // name, and absolute ones come before relative ones.
  const isLong = (/** @type {string} */ path) => path.startsWith(join(root, 'dist/test/lab'));
  return [...options, ...all.map((path) => (isLong(path) ? path : relative(root, path)))];
}

/**
 * @param {string} arg
 * @param {Place} place
 * @returns {string[]} empty when it names no test
 */
function compiledTests(arg, { root, startDir }) {
  for (const base of [startDir, root]) {
    const inside = relative(root, resolve(base, arg));
    if (inside.startsWith('..') || isAbsolute(inside)) continue;
    const path = inside.split(sep)[0] === 'dist' ? join(root, inside) : join(root, 'dist', inside);
    const compiled = path.replace(/\.tsx?$/, '.js');
    if (!existsSync(compiled)) continue;
    if (statSync(compiled).isDirectory()) return testsBelow(compiled);
    return compiled.endsWith('.test.js') ? [compiled] : [];
  }
  return [];
}

/** @param {string} folder */
function testsBelow(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.test.js'))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}
