// The life of a serving process (agent, controller): start, wait for a reason to stop, stop in good order. The same
// for one that a launcher supervises and for one that a user started. It must not know what it runs.
import { asEspalierError, type EspalierError, explain } from '../protocol/errors.ts';
import { SUPERVISED_STOP_MS, SUPERVISED_VARIABLE, type SupervisedEvent } from '../protocol/supervised.ts';

/** What a started service must offer. */
export interface RunningService {
  url?: string;
  port: number;
  stop(): Promise<void>;
}

/** Ctrl-C arrives twice under npm (from the terminal and from npm): a second one this soon is the same key press. */
const SAME_PRESS_MS = 300;
/** Handing the last message to the launcher; it only takes long when the launcher hangs. */
const LAST_WORDS_MS = 500;

/**
 * Runs a service until it is told to stop, by SIGINT, SIGTERM, SIGHUP or the end of the process that started it.
 * A second SIGINT, or a stop that takes longer than SUPERVISED_STOP_MS, ends the process at once.
 * The caller ends the process with the code that comes back: what a service left open must not keep it alive.
 * @param start resolves once the service listens; what it throws is shown with its way out
 * @returns the exit code: 0 after a stop, 1 when the start or the stop failed, 2 for a bad option
 */
export async function runSupervised(start: () => Promise<RunningService>): Promise<number> {
  // the variable alone may be inherited by accident: without a channel nobody would stop us but Ctrl-C
  const supervised = process.env[SUPERVISED_VARIABLE] === '1' && process.send !== undefined;
  const life = watchForStop(supervised);
  try {
    // a stop during the start waits for it: only what has started can be stopped in good order
    const service = await start();
    if (supervised) await tell({ kind: 'listening', ...pickAddress(service) });
    await life.stopped;
    await service.stop();
    return 0;
  } catch (error) {
    return await reportFailure(asEspalierError(error), supervised);
  } finally {
    life.release();
  }
}

function pickAddress({ url, port }: RunningService): { url?: string; port: number } {
  return url === undefined ? { port } : { url, port };
}

async function reportFailure(error: EspalierError, supervised: boolean): Promise<number> {
  process.stderr.write(`${explain(error)}\n`);
  if (supervised) await tell({ kind: 'failed', code: error.code, message: error.message });
  return error.code === 'bad_option' ? 2 : 1;
}

/** Sends one message; a launcher that is gone is no error here, the closed channel has its own listener. */
function tell(event: SupervisedEvent): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, LAST_WORDS_MS);
    const done = () => {
      clearTimeout(timer);
      resolve();
    };
    if (process.connected) process.send?.(event, done);
    else done();
  });
}

/**
 * @returns `stopped` resolves at the first reason to stop; from then on the process has SUPERVISED_STOP_MS.
 */
function watchForStop(supervised: boolean): { stopped: Promise<void>; release: () => void } {
  const { promise: stopped, resolve } = Promise.withResolvers<void>();
  let deadline: NodeJS.Timeout | undefined;
  const stop = () => {
    resolve();
    deadline ??= setTimeout(() => {
      process.stderr.write(`stopping took longer than ${SUPERVISED_STOP_MS} ms: ended without it\n`);
      process.exit(1);
    }, SUPERVISED_STOP_MS);
  };

  let firstInterrupt: number | undefined;
  const interrupt = () => {
    if (supervised) return; // the launcher got it too, and stops its processes in their order
    if (firstInterrupt !== undefined && performance.now() - firstInterrupt > SAME_PRESS_MS) process.exit(130);
    firstInterrupt ??= performance.now();
    stop();
  };
  const hangUp = () => {
    if (!supervised) stop();
  };

  process.on('SIGINT', interrupt).on('SIGHUP', hangUp).on('SIGTERM', stop);
  // whoever started us with a channel (the launcher, or the set-up's runner) is gone when it closes
  if (process.connected) process.on('disconnect', stop);
  else if (process.send !== undefined) stop();
  return {
    stopped,
    release: () => {
      clearTimeout(deadline);
      process.off('SIGINT', interrupt).off('SIGHUP', hangUp).off('SIGTERM', stop).off('disconnect', stop);
    },
  };
}
