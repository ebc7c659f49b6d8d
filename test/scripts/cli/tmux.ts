// A terminal for tests, by tmux: of our own, so that other sessions of this user are not touched.
import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { execa, execaSync } from 'execa';

export const NO_TMUX = execaSync('tmux', ['-V'], { reject: false }).failed ? 'tmux is not installed' : false;

const DEADLINE_MS = 60_000;

export class Terminal {
  readonly #socket: string;

  private constructor(socket: string) {
    this.#socket = socket;
  }

  /** A shell with nothing of the test's environment but what is given. */
  static async open(env: Record<string, string>, columns = 100, rows = 30): Promise<Terminal> {
    const terminal = new Terminal(`espalier-${process.pid}-${Math.random().toString(36).slice(2)}`);
    const variables = Object.entries({ TERM: 'screen', ...env }).map(([name, value]) => `${name}=${value}`);
    const size = ['-x', String(columns), '-y', String(rows)];
    await terminal.#tmux('new-session', '-d', ...size, 'env', '-i', ...variables, 'sh');
    return terminal;
  }

  /** Keys by tmux's names (`Enter`, `Escape`, `C-c`), or text. */
  async press(...keys: string[]): Promise<void> {
    await this.#tmux('send-keys', ...keys);
  }

  async text(): Promise<string> {
    return (await this.#tmux('capture-pane', '-p')).trimEnd();
  }

  /** Waits until the screen shows it. */
  async shows(pattern: RegExp): Promise<string> {
    const deadline = performance.now() + DEADLINE_MS;
    for (;;) {
      const text = await this.text();
      if (pattern.test(text)) return text;
      if (performance.now() > deadline) assert.fail(`${pattern} did not come:\n${text}`);
      await delay(100);
    }
  }

  async close(): Promise<void> {
    await execa('tmux', ['-L', this.#socket, 'kill-server'], { reject: false });
  }

  async #tmux(...args: string[]): Promise<string> {
    const options = { env: { TERM: 'xterm-256color' } };
    return (await execa('tmux', ['-L', this.#socket, '-f', '/dev/null', ...args], options)).stdout;
  }
}
