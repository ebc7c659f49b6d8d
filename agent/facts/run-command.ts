// Runs one command of the system for its output: with a deadline, a limit on what it may print, and never a throw. It
// knows nothing of what is asked.
import { execa } from 'execa';
import { label, lines, MAX_OUTPUT_CHARS } from './text.ts';

/** After its deadline a command is killed; it has this long to be gone, and then again this long. */
const GRACE_MS = 500;

/** What a command printed, or why there is nothing; both, when it was cut off. */
export interface CommandAnswer {
  text: string;
  /** undefined when it ended well */
  problem?: string | undefined;
  /** there is no such command */
  isAbsent?: boolean | undefined;
}

export interface CommandToRun {
  file: string;
  args: readonly string[];
  timeoutMs: number;
}

/**
 * @param searchPath where commands are looked for, as in PATH
 * @param signal ends it at once
 * @returns what it printed, also when it failed or was cut off, and then why
 */
export async function runCommand(
  { file, args, timeoutMs }: CommandToRun,
  searchPath: string,
  signal?: AbortSignal,
): Promise<CommandAnswer> {
  const child = execa(file, args, {
    // outputs in English, and nothing of the user's settings
    env: { PATH: searchPath, LC_ALL: 'C', LANG: 'C' },
    stdin: 'ignore',
    timeout: timeoutMs,
    maxBuffer: MAX_OUTPUT_CHARS,
    killSignal: 'SIGKILL',
    reject: false,
    stripFinalNewline: false,
    ...(signal ? { cancelSignal: signal } : {}),
  });
  // a child of its own may hold its pipes open; and no signal ends what hangs in the kernel
  const pipes = setTimeout(() => {
    child.stdout.destroy();
    child.stderr.destroy();
  }, timeoutMs + GRACE_MS);
  const { promise: givenUp, resolve: giveUp } = Promise.withResolvers<undefined>();
  const end = setTimeout(() => giveUp(undefined), timeoutMs + 2 * GRACE_MS);
  const result = await Promise.race([child, givenUp]);
  clearTimeout(pipes);
  clearTimeout(end);
  const late = `it did not end within ${timeoutMs / 1000} s`;
  if (result === undefined) return { text: '', problem: late };
  if (result.timedOut) return { text: result.stdout, problem: late };
  if (result.isMaxBuffer) return { text: result.stdout, problem: 'it printed more than is read' };
  if (result.code === 'ENOENT') return { text: '', problem: 'there is no such command here', isAbsent: true };
  if (!result.failed) return { text: result.stdout };
  const said = label(
    lines(result.stderr).find((line) => line.trim() !== ''),
    200,
  );
  const how =
    result.exitCode === undefined ? (result.signal ?? result.code ?? 'an error') : `code ${result.exitCode}`;
  return { text: result.stdout, problem: `it ended with ${how}${said === null ? '' : `: ${said}`}` };
}
