// The logs of every process: human-readable on a terminal, JSON lines otherwise, always on standard error, because
// standard output belongs to answers.
import { type Logger, pino } from 'pino';
import pretty from 'pino-pretty';
import { printableJsonLine } from './printable.ts';

/** Lines that cannot be written wait for better times, up to this. */
const MAX_UNWRITTEN_BYTES = 1024 * 1024;

/** @param name of the process, shown in each line; level from ESPALIER_LOG (default info) */
export function createLog(name: string): Logger {
  const level = process.env.ESPALIER_LOG ?? 'info';
  const hooks = { streamWrite: printableJsonLine };
  if (process.stderr.isTTY) {
    const colorize = process.env.NO_COLOR === undefined;
    return pino(
      { name, level, hooks },
      pretty({ destination: 2, sync: true, colorize, ignore: 'pid,hostname', translateTime: 'HH:MM:ss' }),
    );
  }
  const destination = pino.destination({ dest: 2, sync: true, maxLength: MAX_UNWRITTEN_BYTES });
  // where standard error goes to a disk that is full, lines are lost; the process has better things to do than to end
  destination.on('error', () => undefined);
  return pino({ name, level, hooks, base: { pid: process.pid } }, destination);
}
