// A worker, of a stage or of a draft, as a process: its channel to the agent, and its end. It may block for seconds in a step and may be killed
// by MLX: the agent expects both.
import { rmSync } from 'node:fs';
import { asEspalierError, EspalierError } from '../../protocol/errors.ts';
import { WorkerCommand, type WorkerEvent } from '../../protocol/worker.ts';
import { DraftWorker } from './speculation/draft-worker.ts';
import type { GuessSource } from './speculation/source.ts';
import { StageWorker } from './stage-worker.ts';

const LAST_WORDS_MS = 2_000;

/** The last words: the reason goes to the agent, then the process ends. */
function die(error: unknown): void {
  const { code, message } = asEspalierError(error, 'engine_failed');
  process.send?.({ kind: 'fatal', code, message } satisfies WorkerEvent, () => process.exit(1));
  // an agent that does not read must not keep it
  setTimeout(() => process.exit(1), LAST_WORDS_MS);
}

/** What a worker's process holds: a stage, or a draft. */
export interface Worker {
  handle(command: Exclude<WorkerCommand, { kind: 'stop' }>): void;
}

/** Runs a stage until the agent ends it, or is gone. @param wrapSources as StageWorker takes it */
export function runWorker(wrapSources?: (sources: GuessSource[]) => GuessSource[]): void {
  runProcess((send) => new StageWorker(send, die, wrapSources));
}

/** Runs a draft until the agent ends it, or is gone. */
export function runDraft(): void {
  runProcess((send) => new DraftWorker(send, die));
}

function runProcess(begin: (send: (event: WorkerEvent) => void) => Worker): void {
  let scratchDir: string | undefined;
  const worker = begin((event) => process.send?.(event));

  process.on('message', (message) => {
    const command = WorkerCommand.safeParse(message);
    if (!command.success)
      return die(new EspalierError('internal', `the agent sent ${command.error.message}`));
    if (command.data.kind === 'stop') process.exit(0);
    if (command.data.kind === 'load') scratchDir = command.data.scratchDir;
    worker.handle(command.data);
  });
  // a terminal's Ctrl-C reaches everybody; the agent ends its workers in order
  process.on('SIGINT', () => undefined);
  process.on('disconnect', () => process.exit(0));
  process.on('uncaughtException', die);
  process.on('exit', () => {
    if (scratchDir) rmSync(scratchDir, { recursive: true, force: true });
  });
}
