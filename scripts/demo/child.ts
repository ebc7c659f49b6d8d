// One process that the launcher supervises: started by execa, its output in a log file, its reports read from the IPC
// channel. It must not know which process it is.
import { closeSync, openSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { EspalierError, isErrorCode } from '../../protocol/errors.ts';
import { SUPERVISED_VARIABLE, SupervisedEvent } from '../../protocol/supervised.ts';

/** A process that can be ended in order, whatever it is. */
export interface Child {
  /** how messages and the log call it: `agent-1` */
  name: string;
  /** resolves when the process is gone, whatever the reason */
  ended: Promise<unknown>;
  isAlive(): boolean;
  kill(signal: 'SIGTERM' | 'SIGKILL'): void;
}

export interface Listening {
  url?: string | undefined;
  port: number;
}

export interface Service extends Child {
  /** resolves when it listens; rejects with the error of `ended` when it ends before that */
  listening: Promise<Listening>;
  /** why it ended, in its own words if it had any, with the path of its log */
  ended: Promise<EspalierError>;
}

export interface ServiceOptions {
  name: string;
  cliPath: string;
  args: readonly string[];
  /** ESPALIER_HOME of this process */
  home: string;
  /** begun anew */
  logPath: string;
  /** what else is in its environment */
  env?: Readonly<Record<string, string>> | undefined;
}

/** Loading the program and opening a port takes well under a second, and a few on a busy machine. */
const LISTEN_TIMEOUT_MS = 30_000;
const LAST_MESSAGE_MS = 200;
const LOG_TAIL_LINES = 8;

/**
 * Starts the CLI with `args` as a supervised service.
 * @throws NodeJS.ErrnoException when the log cannot be opened
 */
export function startService({ name, cliPath, args, home, logPath, env }: ServiceOptions): Service {
  // the file itself, not a pipe through us: a child can still log what it does after the launcher was killed
  // (execa's types know descriptors up to 9 only; it hands any number to Node as it is)
  const log = openSync(logPath, 'w', 0o600) as 9;
  const subprocess = execa(process.execPath, [cliPath, ...args], {
    env: { ...env, ESPALIER_HOME: home, [SUPERVISED_VARIABLE]: '1' },
    stdin: 'ignore',
    stdout: log,
    stderr: log,
    ipc: true,
    serialization: 'json',
    buffer: false,
    reject: false,
  });
  closeSync(log);

  const { promise: listening, resolve: listens, reject: fails } = Promise.withResolvers<Listening>();
  let failure: EspalierError | undefined;
  const timer = setTimeout(() => {
    failure = new EspalierError('internal', `${name} did not listen within ${LISTEN_TIMEOUT_MS / 1000} s`);
    subprocess.kill('SIGKILL');
  }, LISTEN_TIMEOUT_MS);
  const { nodeChildProcess } = subprocess;
  nodeChildProcess.on('message', (message) => {
    const event = SupervisedEvent.safeParse(message);
    if (!event.success) return;
    const { data } = event;
    if (data.kind === 'failed') {
      failure = new EspalierError(
        isErrorCode(data.code) ? data.code : 'internal',
        `${name}: ${data.message}`,
      );
    } else {
      clearTimeout(timer);
      listens(data);
    }
  });

  const channelClosed = new Promise<void>((resolve) => nodeChildProcess.once('disconnect', resolve));

  let alive = true;
  const ended = subprocess.then(async ({ exitCode, signal }) => {
    alive = false;
    clearTimeout(timer);
    // the exit may be seen before the last message is read; the channel closes after it
    if (nodeChildProcess.connected) await Promise.race([channelClosed, sleep(LAST_MESSAGE_MS)]);
    const reason =
      failure ??
      new EspalierError(
        'internal',
        `${name} ended ${how(exitCode, signal)}${signal === undefined ? endOfLog(logPath) : ''}`,
      );
    const error = new EspalierError(reason.code, `${reason.message}\n  log: ${logPath}`);
    fails(error);
    return error;
  });
  // whoever waits for it gets the rejection; nobody need wait
  listening.catch(() => undefined);
  return { name, listening, ended, isAlive: () => alive, kill: (signal) => void subprocess.kill(signal) };
}

/** `with exit code 1`, or `by SIGKILL`. */
export function how(exitCode: number | undefined, signal: string | undefined): string {
  return signal === undefined ? `with exit code ${exitCode ?? 'unknown'}` : `by ${signal}`;
}

/** The last lines of a log, indented, for a process that ended without a word. */
function endOfLog(logPath: string): string {
  const lines = readFileSync(logPath, 'utf8').trimEnd().split('\n').slice(-LOG_TAIL_LINES);
  return lines.join('') === ''
    ? ', and its log is empty'
    : `:\n${lines.map((line) => `    ${line}`).join('\n')}`;
}
