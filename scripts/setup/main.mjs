#!/usr/bin/env node
// `npm start`, `npm test` and their kin: makes the checkout ready (only what is due), then runs the command. Plain
// Node 20 without packages, because this is what installs them.
import { existsSync, readFileSync, statSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { COMMANDS, invocations } from './commands.mjs';
import { chosenNode } from './node-step.mjs';
import { isSupported } from './platform.mjs';
import { SetupError, say } from './say.mjs';
import { setUp, stepsFor } from './steps.mjs';
import { createSupervisor, Ended } from './supervisor.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');
const [command = '', ...args] = process.argv.slice(2);
const underNpm = process.env.npm_lifecycle_event !== undefined;
const supervisor = createSupervisor({ watchParent: underNpm });

/** @returns {import('./steps.mjs').Context} */
function createContext() {
  const { engines } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  /** @type {import('./steps.mjs').Context} */
  const context = {
    root,
    setupDir: join(root, '.setup'),
    platform: process.platform,
    arch: process.arch,
    execPath: process.execPath,
    nodeVersion: process.version,
    nodeRange: engines.node,
    isRoot: process.getuid?.() === 0,
    env: process.env,
    node: () => chosenNode(context) ?? process.execPath,
    childEnv: () => ({
      ...process.env,
      PATH: [dirname(context.node()), process.env.PATH].filter(Boolean).join(delimiter),
    }),
    run: supervisor.run,
    say,
  };
  return context;
}

/** Where the user stands: npm changes to the package's folder and keeps the first one in INIT_CWD. */
function startDirectory() {
  const initial = underNpm ? process.env.INIT_CWD : undefined;
  return initial !== undefined && statSync(initial, { throwIfNoEntry: false })?.isDirectory()
    ? initial
    : process.cwd();
}

async function main() {
  if (!COMMANDS.includes(command)) {
    throw new SetupError(
      `"${command}" is not a command`,
      `node scripts/setup/main.mjs ${COMMANDS.join('|')} [arguments]`,
    );
  }
  if (!isSupported(process.platform, process.arch)) {
    throw new SetupError(
      `Espalier runs on macOS with Apple silicon and on Linux x64, not on ${process.platform} ${process.arch}`,
      process.platform === 'darwin'
        ? 'on a Mac with Apple silicon, use an arm64 Node (this one runs under Rosetta, or the Mac has an Intel chip): https://nodejs.org'
        : 'use one of these machines',
    );
  }
  const context = createContext();
  // a published package brings its dist/ and has no sources to set up
  const isCheckout = existsSync(join(root, 'package-lock.json')) && existsSync(join(root, 'tsconfig.json'));
  if (isCheckout) await setUp(stepsFor(command), context);

  let exitCode = 0;
  const place = { root, startDir: startDirectory(), env: process.env };
  for (const step of invocations(command, args, place)) {
    const result = await supervisor.run(context.node(), step.args, {
      cwd: step.cwd,
      env: context.childEnv(),
      // the channel tells the child when we are gone, whatever killed us
      stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
      ownsInterrupt: Boolean(step.ownsInterrupt && process.stdin.isTTY),
    });
    exitCode ||= result.exitCode;
  }
  return exitCode;
}

try {
  process.exitCode = await main();
} catch (error) {
  if (error instanceof Ended) {
    process.exitCode = error.exitCode;
  } else if (supervisor.endedCode() !== undefined) {
    // a step that fails because it was interrupted needs no advice
    process.exitCode = supervisor.endedCode();
  } else if (error instanceof SetupError) {
    say(error.message);
    process.stderr.write(`  → ${error.fix}\n`);
    process.exitCode = 1;
  } else {
    say(error instanceof Error ? (error.stack ?? error.message) : String(error));
    process.exitCode = 1;
  }
}
