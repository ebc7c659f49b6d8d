// The step that makes node-mlx loadable: the binary of this platform, and BLAS on Linux. A binary counts as right
// once a child process has really loaded it; what that load mapped is remembered, and looked at again on each start.
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { APT_INSTALL, binaryKind, blasCommand, missingLibrary, runsOn } from './native.mjs';
import { onPath } from './npm.mjs';
import { SetupError, shellQuote } from './say.mjs';

/** @typedef {import('./steps.mjs').Context} Context */

/** Loads the binary and prints the libraries that came with it: {"libraries": [...]} or {"error": "..."} */
const LOAD_SCRIPT = `
  const fs = require('node:fs');
  try {
    require(process.argv[1]);
    const maps = fs.existsSync('/proc/self/maps') ? fs.readFileSync('/proc/self/maps', 'utf8') : '';
    const libraries = [...new Set(maps.match(/\\/\\S*(?:blas|lapack|gfortran)\\S*\\.so\\S*/g) ?? [])];
    console.log(JSON.stringify({ libraries }));
  } catch (error) {
    console.log(JSON.stringify({ error: String(error.message) }));
  }
`;

/** @param {Context} context */
function paths(context) {
  const folder = join(context.root, 'node_modules/@frost-beta/mlx');
  const release = join(folder, 'build/Release');
  return {
    folder,
    binary: join(release, 'mlx.node'),
    metallib: join(release, 'mlx.metallib'),
    stamp: join(context.setupDir, 'mlx.json'),
  };
}

/** @param {string} path */
function headOf(path) {
  const head = new Uint8Array(20);
  try {
    const file = openSync(path, 'r');
    readSync(file, head, 0, head.length, 0);
    closeSync(file);
  } catch {
    // missing: all zeros are of no known kind
  }
  return head;
}

/**
 * Whether the package holds the files of this platform. (Its tarball always brings those of Linux.)
 * @param {Context} context
 */
function hasRightFiles(context) {
  const { binary, metallib } = paths(context);
  if (!runsOn(binaryKind(headOf(binary)), context.platform)) return false;
  return context.platform !== 'darwin' || (statSync(metallib, { throwIfNoEntry: false })?.size ?? 0) > 0;
}

/**
 * What tells one binary from the next without reading its 16 MB.
 * @param {Context} context
 */
function identity(context) {
  const file = statSync(paths(context).binary, { throwIfNoEntry: false });
  return file === undefined ? undefined : { size: file.size, mtimeMs: file.mtimeMs, node: context.node() };
}

/** @param {Context} context */
function wasLoaded(context) {
  try {
    const stamp = JSON.parse(readFileSync(paths(context).stamp, 'utf8'));
    const { size, mtimeMs, node } = identity(context) ?? {};
    return (
      stamp.size === size &&
      stamp.mtimeMs === mtimeMs &&
      stamp.node === node &&
      stamp.libraries.every((/** @type {string} */ library) => existsSync(library))
    );
  } catch {
    return false;
  }
}

/**
 * @param {Context} context
 * @returns {Promise<string | undefined>} why the binary cannot be loaded; undefined (and a stamp) when it can
 */
async function load(context) {
  const { binary, stamp } = paths(context);
  const { exitCode, output } = await context.run(context.node(), ['-e', LOAD_SCRIPT, binary], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: context.childEnv(),
  });
  /** @type {{libraries?: string[], error?: string}} */
  let result;
  try {
    result = JSON.parse(output);
  } catch {
    return `the process that loaded it ended with exit code ${exitCode}: ${output.trim()}`;
  }
  if (result.error !== undefined) return result.error;
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, `${JSON.stringify({ ...identity(context), libraries: result.libraries })}\n`);
  return undefined;
}

/**
 * Runs the package's own install script, which downloads the binary of this platform. Directly, because npm may
 * refuse install scripts by policy, and silently so from npm 12 on.
 * @param {Context} context
 */
async function installBinary(context) {
  const { folder } = paths(context);
  context.say('downloading the binary of node-mlx for this platform (its own install script)');
  const { exitCode } = await context.run(context.node(), ['install.js'], {
    cwd: folder,
    // fetch() honours a proxy only when it is told to
    env: { NODE_USE_ENV_PROXY: '1', ...context.childEnv() },
  });
  if (exitCode !== 0 || !hasRightFiles(context)) {
    throw new SetupError(
      `the install script of @frost-beta/mlx did not bring a binary for ${context.platform} ${context.arch}`,
      `cd ${shellQuote(folder)} && node install.js   (it needs github.com), then: npm start`,
    );
  }
}

/** @param {Context} context */
async function installBlas(context) {
  const has = (/** @type {string} */ program) => onPath(program, context.env.PATH) !== undefined;
  const command = blasCommand(has, context.isRoot);
  if (!context.isRoot || !has('apt-get')) {
    throw new SetupError('BLAS is missing: node-mlx needs libopenblas.so.0 and liblapack.so.3', command);
  }
  context.say('installing BLAS (apt-get install libopenblas0 liblapack3)');
  const apt = (/** @type {readonly string[]} */ args) =>
    context.run('apt-get', args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...context.env, DEBIAN_FRONTEND: 'noninteractive' },
    });
  let result = await apt(APT_INSTALL);
  if (result.exitCode !== 0) {
    context.say('the package lists are missing or old (apt-get update)');
    await apt(['update']);
    result = await apt(APT_INSTALL);
  }
  if (result.exitCode !== 0) {
    throw new SetupError(`apt-get could not install BLAS:\n${result.output.trim()}`, command);
  }
}

/** @type {import('./steps.mjs').Step} */
export const mlxStep = {
  name: 'mlx',
  due(context) {
    return hasRightFiles(context) && wasLoaded(context) ? undefined : 'checking that node-mlx loads';
  },
  async perform(context) {
    const freshlyInstalled = !hasRightFiles(context);
    if (freshlyInstalled) await installBinary(context);
    let reason = await load(context);
    if (reason !== undefined && context.platform === 'darwin' && !freshlyInstalled) {
      // a download that broke off leaves a file with the right first bytes
      await installBinary(context);
      reason = await load(context);
    }
    if (reason !== undefined && /^lib(?:openblas|lapack)/.test(missingLibrary(reason) ?? '')) {
      await installBlas(context);
      reason = await load(context);
    }
    if (reason !== undefined) {
      throw new SetupError(
        `node-mlx cannot be loaded: ${reason}`,
        `cd ${shellQuote(context.root)} && rm -rf node_modules && npm start   (if it repeats, this system lacks what the message names)`,
      );
    }
  },
};
