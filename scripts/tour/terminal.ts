// A terminal of its own for a recording: tmux without the user's settings. It types keys and tells what is shown.
import { execa } from 'execa';

const TIMEOUT_MS = 10_000;

export interface Terminal extends AsyncDisposable {
  type(...keys: string[]): Promise<void>;
  /** the screen with its styles, a line each */
  capture(): Promise<string[]>;
}

/** @throws ExecaError where tmux is missing */
export async function openTerminal(
  command: string,
  { columns, rows }: { columns: number; rows: number },
): Promise<Terminal> {
  const socket = `espalier-tour-${process.pid}`;
  const tmux = async (...args: string[]) =>
    (await execa('tmux', ['-L', socket, '-f', '/dev/null', ...args], { timeout: TIMEOUT_MS })).stdout;
  await tmux('new-session', '-d', '-x', String(columns), '-y', String(rows), command);
  return {
    type: async (...keys) => void (await tmux('send-keys', ...keys)),
    capture: async () => (await tmux('capture-pane', '-p', '-e')).split('\n').slice(0, rows),
    [Symbol.asyncDispose]: async () => void (await tmux('kill-server').catch(() => '')),
  };
}
