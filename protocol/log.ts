// The logs of every process: human-readable on a terminal, JSON lines otherwise, always on standard error, because
// standard output belongs to answers.
import { type Logger, pino } from 'pino';
import pretty from 'pino-pretty';

/** @param name of the process, shown in each line; level from ESPALIER_LOG (default info) */
export function createLog(name: string): Logger {
  const level = process.env.ESPALIER_LOG ?? 'info';
  if (process.stderr.isTTY) {
    const colorize = process.env.NO_COLOR === undefined;
    return pino(
      { name, level },
      pretty({ destination: 2, sync: true, colorize, ignore: 'pid,hostname', translateTime: 'HH:MM:ss' }),
    );
  }
  return pino({ name, level, base: { pid: process.pid } }, pino.destination({ dest: 2, sync: true }));
}
