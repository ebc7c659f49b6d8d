// Runs one child at a time and ends it properly: signals are passed on once, and when npm (our parent) is killed
// outright the child is ended too. It must not know what it runs.
import { spawn } from 'node:child_process';
import { constants } from 'node:os';

const SIGNALS = /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP']);
/** A child that was told to end and does not is killed after this long; the demo itself needs at most two seconds. */
const KILL_AFTER_MS = 4_000;
const PARENT_POLL_MS = 500;

/** Thrown by run() when a signal or the parent's death ended the work: there is nothing to report and nothing to fix. */
export class Ended extends Error {
  /** @param {number} exitCode 128 + the signal's number, as shells count */
  constructor(exitCode) {
    super(`ended with exit code ${exitCode}`);
    this.name = 'Ended';
    this.exitCode = exitCode;
  }
}

/**
 * @typedef {object} RunOptions
 * @property {string} [cwd]
 * @property {NodeJS.ProcessEnv} [env]
 * @property {import('node:child_process').StdioOptions} [stdio] by default nothing in, and everything out on our standard error
 * @property {boolean} [ownsInterrupt] the child handles a terminal's Ctrl-C by itself and goes on: do not pass SIGINT on
 *
 * @typedef {object} RunResult
 * @property {number} exitCode the child's own, or 128 + signal
 * @property {string} output what came out of pipes, if stdio has any
 *
 * @typedef {(file: string, args: readonly string[], options?: RunOptions) => Promise<RunResult>} Run
 */

/**
 * Installs the signal handlers of this process and returns the way to run children under them.
 * @param {{watchParent: boolean}} options watchParent: end everything when the process that started us is gone
 * @returns {{run: Run, endedCode: () => number | undefined}} endedCode: the exit code if a signal has ended the work
 */
export function createSupervisor({ watchParent }) {
  /** @type {{child: import('node:child_process').ChildProcess, ownsInterrupt: boolean} | undefined} */
  let current;
  /** @type {number | undefined} */
  let endedCode;

  /** @param {NodeJS.Signals} signal */
  const endChild = (signal) => {
    const child = current?.child;
    if (child === undefined) process.exit(endedCode);
    child.kill(signal);
    if (signal === 'SIGINT') return; // Ctrl-C asks; whoever asked can ask again
    setTimeout(() => child.kill('SIGKILL'), KILL_AFTER_MS).unref();
  };

  for (const signal of SIGNALS) {
    let passedOn = false;
    process.on(signal, () => {
      if (signal === 'SIGINT' && current?.ownsInterrupt) return;
      // A terminal's Ctrl-C reaches the child by itself, and npm sends its own copy as well: one from us is enough.
      if (passedOn) return;
      passedOn = true;
      endedCode ??= 128 + constants.signals[signal];
      endChild(signal);
    });
  }

  if (watchParent) {
    const parent = process.ppid;
    const timer = setInterval(() => {
      if (process.ppid === parent) return;
      clearInterval(timer);
      endedCode ??= 128 + constants.signals.SIGHUP;
      if (current?.child.connected) current.child.disconnect();
      endChild('SIGTERM');
    }, PARENT_POLL_MS);
    timer.unref();
  }

  return {
    endedCode: () => endedCode,
    run: (file, args, options = {}) =>
      new Promise((resolve, reject) => {
        if (endedCode !== undefined) {
          reject(new Ended(endedCode));
          return;
        }
        const child = spawn(file, args, {
          stdio: options.stdio ?? ['ignore', 2, 2],
          ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
          ...(options.env === undefined ? {} : { env: options.env }),
        });
        current = { child, ownsInterrupt: options.ownsInterrupt ?? false };
        let output = '';
        for (const stream of [child.stdout, child.stderr]) {
          stream?.setEncoding('utf8').on('data', (chunk) => {
            output += chunk;
          });
        }
        child.once('error', (error) => {
          current = undefined;
          reject(error);
        });
        /** @type {(code: number | null, signal: NodeJS.Signals | null) => void} */
        const finish = (code, signal) => {
          current = undefined;
          resolve({ exitCode: code ?? 128 + constants.signals[signal ?? 'SIGKILL'], output });
        };
        // 'close' comes after the last output; but never, once we have closed the channel ourselves
        if (child.stdout === null) child.once('exit', finish);
        else child.once('close', finish);
      }),
  };
}
