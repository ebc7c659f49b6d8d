// Runs the compiled command line as a child process, as a user would, with a quiet environment.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';

export const CLI = fileURLToPath(new URL('../../../scripts/cli/main.js', import.meta.url));
const TIMEOUT_MS = 60_000;

export interface Run {
  code: number | undefined;
  stdout: string;
  stderr: string;
}

/** @param input standard input; empty when left out */
export async function run(args: readonly string[], { input = '', env = {} } = {}): Promise<Run> {
  const result = await execa(process.execPath, [CLI, ...args], {
    input,
    env: { ...environment(), ...env },
    extendEnv: false,
    reject: false,
    timeout: TIMEOUT_MS,
  });
  return { code: result.exitCode, stdout: result.stdout, stderr: result.stderr };
}

export interface Started {
  child: ChildProcess;
  /** what came on standard output and standard error until now */
  stdout(): string;
  stderr(): string;
  /** resolves when something has come on standard output */
  printed: Promise<unknown>;
  /** the exit code; null after a signal */
  exited(): Promise<number | null>;
}

const started = new Set<ChildProcess>();

/** Starts a command that goes on; `killStarted` in an `afterEach` ends what a failed test leaves. */
export function start(args: readonly string[], { ipc = false } = {}): Started {
  const child = spawn(process.execPath, [CLI, ...args], {
    env: environment(),
    stdio: ['ignore', 'pipe', 'pipe', ...(ipc ? (['ipc'] as const) : [])],
  });
  started.add(child);
  let stdout = '';
  let stderr = '';
  child.stdout?.on('data', (text) => (stdout += text));
  child.stderr?.on('data', (text) => (stderr += text));
  const exit = once(child, 'exit', { signal: AbortSignal.timeout(TIMEOUT_MS) });
  exit.catch(() => undefined);
  const printed = child.stdout
    ? once(child.stdout, 'data', { signal: AbortSignal.timeout(TIMEOUT_MS) })
    : exit;
  printed.catch(() => undefined);
  return {
    child,
    stdout: () => stdout,
    stderr: () => stderr,
    printed,
    async exited() {
      const [code] = await exit;
      return typeof code === 'number' ? code : null;
    },
  };
}

/** Ends every command that `start` began and that still runs. */
export function killStarted(): void {
  for (const child of started) child.kill('SIGKILL');
  started.clear();
}

/** The environment of the test without what would change the command line's words. */
export function environment(): NodeJS.ProcessEnv {
  const { PATH, HOME, TMPDIR } = process.env;
  return { PATH, HOME, TMPDIR, TZ: 'UTC', LANG: 'C.UTF-8' };
}
