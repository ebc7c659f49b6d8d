// An agent in processes of its own, as a node has it: agent and workers are one process group, which can be stopped,
// continued and killed as a whole.
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { cliFile } from './paths.ts';

const Up = z.object({ port: z.int(), msg: z.string().regex(/is up/) });

export class AgentProcess {
  readonly #child: ChildProcess;
  readonly port: number;

  private constructor(child: ChildProcess, port: number) {
    this.#child = child;
    this.port = port;
  }

  /** Starts one on loopback, and waits until it listens. */
  static async start(options: { home: string; cluster: string }): Promise<AgentProcess> {
    const args = ['agent', '--host', '127.0.0.1', '--port', '0', '--cluster', options.cluster];
    const env = { ...process.env, ESPALIER_HOME: options.home, ESPALIER_LOG: 'info' };
    const child = spawn(process.execPath, [cliFile, ...args], {
      env,
      detached: true,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    for await (const line of createInterface({ input: child.stderr as NonNullable<typeof child.stderr> })) {
      const up = Up.safeParse(JSON.parse(line));
      if (!up.success) continue;
      child.stderr?.resume();
      return new AgentProcess(child, up.data.port);
    }
    throw new Error('the agent ended before it listened');
  }

  get pid(): number {
    return this.#child.pid as number;
  }

  /** To the agent and its workers, one after the other as the system likes. */
  signalAll(signal: NodeJS.Signals): void {
    process.kill(-this.pid, signal);
  }

  /** Ends what is left of it. */
  killAll(): void {
    try {
      this.signalAll('SIGKILL');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }

  /** To the agent alone. */
  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }
}
