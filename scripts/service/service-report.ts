// How the services are, as text for people. Pure.
import { table } from '../cli/table.ts';
import type { ServiceState } from './service-states.ts';

const STATES: Record<ServiceState['state'], string> = {
  runs: 'runs',
  starts: 'starts',
  fails: 'fails, and is started again',
  stopped: 'does not run',
};

/** @returns lines without a last line break */
export function serviceReport(states: readonly ServiceState[]): string {
  const rows = states.map(({ name, how, state, pid, args }) => [
    name,
    how ?? (pid === null ? 'no service' : 'started by hand'),
    STATES[state],
    pid === null ? '' : String(pid),
    args.join(' '),
  ]);
  return table([['service', 'by', 'state', 'process', 'options'], ...rows]);
}
