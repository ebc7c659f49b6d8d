// What a service said last, from where its output goes: a file in the home, or systemd's journal.
import { readFileSync } from 'node:fs';
import { runArgv } from '../system-changes/run-argv.ts';
import { journalCommand } from './journal.ts';
import { readServices } from './saved-services.ts';
import { type ServiceName, serviceLog } from './service-spec.ts';
import { unitName } from './systemd-service.ts';

const LINES = 2;

/** One line, for an error. @throws EspalierError home_damaged */
export async function lastWords(home: string, name: ServiceName): Promise<string> {
  const isSystemd = readServices(home)[name]?.how === 'systemd';
  const text = isSystemd ? await journal(name) : logFile(home, name);
  return text.trim().split('\n').slice(-LINES).join(' ').trim() || 'it said nothing';
}

/** What its processes said, without what systemd says of them. */
async function journal(name: ServiceName): Promise<string> {
  const args = ['-n', String(LINES), `_SYSTEMD_UNIT=${unitName(name)}`];
  const { exitCode, output } = await runArgv(await journalCommand(args, false));
  return exitCode === 0 ? output : '';
}

function logFile(home: string, name: ServiceName): string {
  try {
    return readFileSync(serviceLog(home, name), 'utf8');
  } catch {
    return '';
  }
}
