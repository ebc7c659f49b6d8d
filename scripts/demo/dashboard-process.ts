// The dashboard as a process of its own that has the terminal to itself.
import { execa } from 'execa';
import { EspalierError } from '../../protocol/errors.ts';
import { type Child, how } from './child.ts';

export interface DashboardProcess extends Child {
  /** resolves with its exit code; an error names the signal that ended it */
  ended: Promise<number | EspalierError>;
}

/** Starts `espalier dashboard` on the launcher's own terminal. */
export function startDashboard(cliPath: string, controllerUrl: string): DashboardProcess {
  const subprocess = execa(process.execPath, [cliPath, 'dashboard', '--controller', controllerUrl], {
    stdin: 'inherit',
    stdout: 'inherit',
    stderr: 'inherit',
    // the channel tells it when the launcher is gone, so that it leaves the terminal as it found it
    ipc: true,
    serialization: 'json',
    buffer: false,
    reject: false,
  });
  let alive = true;
  const ended = subprocess.then(({ exitCode, signal }) => {
    alive = false;
    return exitCode ?? new EspalierError('internal', `the dashboard ended ${how(exitCode, signal)}`);
  });
  return { name: 'dashboard', ended, isAlive: () => alive, kill: (signal) => void subprocess.kill(signal) };
}
