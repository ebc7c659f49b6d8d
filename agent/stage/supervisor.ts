// Starts, watches and ends one stage worker. A worker that exits is told of with its reason: what to do about it is
// the controller's decision, because a stage that is lost concerns the whole ring.
import { rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { execaNode } from 'execa';
import type { Logger } from 'pino';
import type { Credentials } from '../../protocol/identity.ts';
import { LOAD_TIMEOUT_MS, WORKER_STOP_MS } from '../../protocol/limits.ts';
import type { StageSpec } from '../../protocol/stage.ts';
import { type WorkerCommand, WorkerEvent } from '../../protocol/worker.ts';
import { makeScratchDir } from './scratch.ts';

const WORKER = fileURLToPath(new URL('./worker.js', import.meta.url));

/** The JavaScript side of a worker holds no tensors: this is for frames in flight and request state. */
const HEAP_LIMIT_MIB = 1024;

export interface StageListener {
  onEvent(event: WorkerEvent): void;
  /** the worker is gone without having been asked */
  onExit(failure: { code: string; message: string }): void;
}

function spawnWorker() {
  return execaNode(WORKER, [], {
    ipc: true,
    stdin: 'ignore',
    stdout: 'ignore',
    stderr: 'pipe',
    buffer: false,
    reject: false,
    nodeOptions: ['--expose-gc', `--max-old-space-size=${HEAP_LIMIT_MIB}`],
    // one BLAS thread: a stage's products are small, and several stages may share this machine
    // glibc keeps freed tensors in per-thread pools unless it is told to give them back
    env: {
      OPENBLAS_NUM_THREADS: process.env.OPENBLAS_NUM_THREADS ?? '1',
      MALLOC_ARENA_MAX: '1',
      MALLOC_TRIM_THRESHOLD_: '100000',
      NODE_ENV: 'production',
    },
  });
}

export class StageSupervisor {
  readonly spec: StageSpec;
  // first: a full disk must not leave a worker behind
  readonly #scratchDir = makeScratchDir();
  readonly #child = spawnWorker();
  readonly #exited: Promise<void>;
  #fatal: { code: string; message: string } | undefined;
  #stopping = false;
  #loaded = false;

  /** @param credentials of this node */
  constructor(
    spec: StageSpec,
    hopHost: string,
    { key, certificate }: Credentials,
    log: Logger,
    listener: StageListener,
  ) {
    this.spec = spec;
    this.#child.stderr.on('data', (chunk: Buffer) =>
      log.warn({ stage: spec.index }, chunk.toString().trimEnd()),
    );
    this.#child.nodeChildProcess.on('message', (message) => this.#take(message, log, listener));
    this.#exited = this.#child.then((result) => {
      clearTimeout(loadTimer);
      rmSync(this.#scratchDir, { recursive: true, force: true });
      const message = result.signal
        ? `it was killed by ${result.signal}`
        : `it exited with code ${result.exitCode}`;
      if (!this.#stopping) {
        listener.onExit(
          this.#fatal ?? {
            code: 'stage_lost',
            message: `the worker of stage ${spec.index} is gone: ${message}`,
          },
        );
      }
    });
    const loadTimer = setTimeout(() => this.#loadTookTooLong(), LOAD_TIMEOUT_MS);
    const credentials = { key, certificate };
    this.send({ kind: 'load', spec, credentials, hopHost, scratchDir: this.#scratchDir });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  send(command: WorkerCommand): void {
    const { nodeChildProcess: child } = this.#child;
    if (child.connected) child.send(command);
  }

  /** Ends the worker: asked first, killed after WORKER_STOP_MS. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.send({ kind: 'stop' });
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), WORKER_STOP_MS);
    await this.#exited;
    clearTimeout(timer);
  }

  #take(message: unknown, log: Logger, listener: StageListener): void {
    const event = WorkerEvent.safeParse(message);
    if (!event.success) {
      log.error(
        { stage: this.spec.index, error: event.error.message },
        'a worker sent a message that is not known',
      );
      return;
    }
    if (event.data.kind === 'loaded') this.#loaded = true;
    if (event.data.kind === 'fatal') this.#fatal = { code: event.data.code, message: event.data.message };
    else if (!this.#stopping) listener.onEvent(event.data);
  }

  #loadTookTooLong(): void {
    if (this.#loaded) return;
    this.#fatal = {
      code: 'stage_lost',
      message: `stage ${this.spec.index} did not load within ${LOAD_TIMEOUT_MS / 1000} s`,
    };
    this.#child.kill('SIGKILL');
  }
}
