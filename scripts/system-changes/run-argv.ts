// Runs one command of a system change, as root where it must be. It must not know what the command changes.
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';

/** What a command answered. */
export interface Ran {
  /** null: it could not be run, or did not end in time */
  exitCode: number | null;
  /** what it printed, both ways */
  output: string;
}

export type RunArgv = (argv: readonly string[]) => Promise<Ran>;

/** launchctl waits for a daemon to be gone, systemctl for one to be up. */
const TIMEOUT_MS = 120_000;
const MAX_OUTPUT_CHARS = 20_000;
/** launchd answers 5 or 37 while a daemon of the same label is still on its way out. */
const BUSY_CODES: readonly (number | null)[] = [5, 37];
const BUSY_TRIES = 6;
const BUSY_PAUSE_MS = 1_000;

/**
 * The command as it is run, and shown.
 * @param canAsk whether sudo may ask for the password on the terminal
 */
export function asRoot(argv: readonly string[], needsRoot: boolean, canAsk: boolean): string[] {
  const isRoot = process.getuid?.() === 0;
  const bare = argv[0] === 'sudo' ? argv.slice(1) : argv;
  if (!needsRoot || isRoot) return [...bare];
  return canAsk ? ['sudo', ...bare] : ['sudo', '-n', ...bare];
}

/** The real runner. Standard input stays the terminal, where sudo asks. */
export const runArgv: RunArgv = async ([file = '', ...args]) => {
  const result = await execa(file, args, {
    env: { LC_ALL: 'C', LANG: 'C' },
    stdin: process.stdin.isTTY ? 'inherit' : 'ignore',
    all: true,
    reject: false,
    timeout: TIMEOUT_MS,
    killSignal: 'SIGKILL',
    maxBuffer: MAX_OUTPUT_CHARS,
  });
  const why = result.code === 'ENOENT' ? `${file}: there is no such command here` : result.all;
  return { exitCode: result.exitCode ?? null, output: why ?? '' };
};

/** The same, with patience where launchd asks for it. */
export async function runPatiently(
  argv: readonly string[],
  run: RunArgv,
  pauseMs = BUSY_PAUSE_MS,
): Promise<Ran> {
  for (let tries = 1; ; tries += 1) {
    const ran = await run(argv);
    if (!argv.includes('bootstrap') || !BUSY_CODES.includes(ran.exitCode) || tries >= BUSY_TRIES) return ran;
    await sleep(pauseMs);
  }
}
