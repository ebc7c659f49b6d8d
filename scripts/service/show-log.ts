// Prints the log of a service: its file, or systemd's journal; for people on a terminal, as JSON lines elsewhere. It must not
// know what stands in it.
import { execa } from 'execa';
import { prettyFactory } from 'pino-pretty';
import { EspalierError } from '../../protocol/errors.ts';
import { journalCommand } from './journal.ts';
import { readServices } from './saved-services.ts';
import { type ServiceName, serviceLog } from './service-spec.ts';
import { unitName } from './systemd-service.ts';

/** @returns the exit code. @throws EspalierError service_failed where there is no log */
export async function showLog(
  home: string,
  name: ServiceName,
  { lines, follow }: { lines: number; follow: boolean },
): Promise<number> {
  const isSystemd = readServices(home)[name]?.how === 'systemd';
  const shared = ['-n', String(lines), ...(follow ? ['-f'] : [])];
  const canAsk = process.stdin.isTTY === true;
  const [file = '', ...args] = isSystemd
    ? await journalCommand(['-u', unitName(name), ...shared], canAsk)
    : ['tail', ...shared, serviceLog(home, name)];
  const show = process.stdout.isTTY ? forPeople() : (line: string) => `${line}\n`;
  const child = execa(file, args, { stdin: 'ignore', buffer: { stdout: false }, reject: false });
  for await (const line of child) process.stdout.write(show(line));
  const result = await child;
  // a log that is followed ends with Ctrl-C
  if (result.exitCode === 0 || result.signal !== undefined) return 0;
  throw new EspalierError(
    'service_failed',
    `there is no log of the ${name}: ${result.stderr.trim() || 'it never ran as a service here'}`,
  );
}

/** As the process itself would write them on a terminal, with the day: a service runs for weeks. */
function forPeople(): (line: string) => string {
  const colorize = process.env.NO_COLOR === undefined;
  return prettyFactory({ colorize, ignore: 'pid,hostname', translateTime: 'SYS:yyyy-mm-dd HH:MM:ss' });
}
