// How the services are, as text for people. Pure.
import { table } from '../cli/table.ts';
import type { ServiceState } from './services.ts';

/** @returns lines without a last line break */
export function serviceReport(states: readonly ServiceState[]): string {
  const rows = states.map(({ name, how, pid, args }) => [
    name,
    how ?? (pid === null ? 'no service' : 'started by hand'),
    pid === null ? 'does not run' : 'runs',
    pid === null ? '' : String(pid),
    args.join(' '),
  ]);
  return table([['service', 'by', 'state', 'process', 'options'], ...rows]);
}
