// Starts, watches, moves and ends one stage worker. A worker that exits, falls silent or does not answer is ended and told
// of with its reason: what to do about it is the controller's decision, because it concerns the whole ring.
import { rmSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { execaNode } from 'execa';
import type { Logger } from 'pino';
import type { Credentials } from '../../protocol/identity.ts';
import {
  LAYER_LOAD_TIMEOUT_MS,
  LOAD_TIMEOUT_MS,
  MOVE_TIMEOUT_MS,
  WORKER_KILL_MS,
  WORKER_SILENCE_MS,
  WORKER_STOP_MS,
} from '../../protocol/limits.ts';
import type { StageSpec } from '../../protocol/stage.ts';
import { type WorkerCommand, WorkerEvent } from '../../protocol/worker.ts';
import { AwakeClock } from '../awake-clock.ts';
import { SilenceWatch } from '../silence-watch.ts';
import { makeScratchDir } from './scratch.ts';

/** What a stage worker runs. */
export const WORKER_PROGRAM = fileURLToPath(new URL('./worker.js', import.meta.url));

/** What the worker of a draft on a node of its own runs. */
export const DRAFT_PROGRAM = fileURLToPath(new URL('./draft.js', import.meta.url));

/** Deadlines are looked at this often. */
const LOOK_MS = 500;
/** Of what a worker wrote on standard error, the end may be its reason. */
const MAX_LAST_WORDS = 300;

/** The JavaScript side of a worker holds no tensors: this is for frames in flight and request state. */
const HEAP_LIMIT_MIB = 1024;

export interface StageListener {
  /** @param epoch the deployment of which the event is */
  onEvent(event: WorkerEvent, epoch: number): void;
  /** the worker is gone without having been asked */
  onExit(failure: { code: string; message: string }): void;
}

function spawnWorker(program: string) {
  return execaNode(program, [], {
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
  readonly #log: Logger;
  readonly #listener: StageListener;
  // first: a full disk must not leave a worker behind
  readonly #scratchDir = makeScratchDir();
  readonly #child;
  readonly #exited: Promise<void>;
  readonly #silence: SilenceWatch;
  readonly #clock = new AwakeClock(LOOK_MS);
  readonly #timer: NodeJS.Timeout;
  #spec: StageSpec;
  #hopHost: string;
  /** the place that it has told to have taken: what it says is of this deployment */
  #taken: StageSpec | undefined;
  /** it answered the last load or move */
  #isThere = false;
  #isMoving = false;
  /** the last load or move */
  #askedAt = 0;
  /** by what it last announced */
  #busyUntil = 0;
  #lastWords = '';
  #fatal: { code: string; message: string } | undefined;
  #stopping = false;

  /** @param credentials of this node @param program what the worker runs */
  constructor(
    spec: StageSpec,
    hopHost: string,
    { key, certificate }: Credentials,
    log: Logger,
    listener: StageListener,
    program = WORKER_PROGRAM,
  ) {
    this.#child = spawnWorker(program);
    this.#spec = spec;
    this.#hopHost = hopHost;
    this.#log = log;
    this.#listener = listener;
    this.#child.stderr.on('data', (chunk: Buffer) => {
      const text = chunk.toString().trimEnd();
      this.#lastWords = text.slice(-MAX_LAST_WORDS).split('\n').at(-1) ?? '';
      log.warn({ of: placeName(this.#spec) }, text);
    });
    this.#child.nodeChildProcess.on('message', (message) => this.#take(message));
    this.#silence = new SilenceWatch({
      limitMs: WORKER_SILENCE_MS,
      onSilent: (silentMs) => this.#kill(`frozen: it said nothing for ${(silentMs / 1000).toFixed(1)} s`),
    });
    // until its first beat: Node starts, and MLX is loaded
    this.#silence.heard(LAYER_LOAD_TIMEOUT_MS);
    this.#timer = setInterval(() => this.#checkDeadlines(), LOOK_MS);
    this.#exited = this.#child.then((result) => this.#ended(result));
    this.#askedAt = this.#clock.now();
    const credentials = { key, certificate };
    this.send({ kind: 'load', spec, credentials, hopHost, scratchDir: this.#scratchDir });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** The place that it was last told to take. */
  get spec(): StageSpec {
    return this.#spec;
  }

  /** Where its hop listens, or will. */
  get hopHost(): string {
    return this.#hopHost;
  }

  /** The place that it last took, while it takes another one, too; undefined until it has loaded. */
  get taken(): StageSpec | undefined {
    return this.#taken;
  }

  /** It was told to move, and has not answered. */
  get isMoving(): boolean {
    return this.#isMoving;
  }

  /** Takes another place of the same model, with all that it holds. */
  move(spec: StageSpec, hopHost: string): void {
    this.#spec = spec;
    this.#hopHost = hopHost;
    this.#isThere = false;
    this.#isMoving = true;
    this.#askedAt = this.#clock.now();
    this.send({ kind: 'move', spec, hopHost });
  }

  send(command: WorkerCommand): void {
    const { nodeChildProcess: child } = this.#child;
    // a channel that breaks just now is told of by the exit
    if (child.connected) child.send(command, () => undefined);
  }

  /** Ends the worker: asked first, killed after WORKER_STOP_MS, left behind where not even that ends it. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#silence.stop();
    this.send({ kind: 'stop' });
    const kill = setTimeout(() => this.#child.kill('SIGKILL'), WORKER_STOP_MS);
    const left = new AbortController();
    const isLeft = delay(WORKER_STOP_MS + WORKER_KILL_MS, true, { signal: left.signal }).catch(() => false);
    const isEnded = this.#exited.then(() => false);
    if (await Promise.race([isEnded, isLeft]))
      this.#log.error({ pid: this.pid }, 'a worker cannot be killed: it waits for a disk or a driver');
    clearTimeout(kill);
    left.abort();
  }

  #ended({ signal, exitCode }: { signal?: string; exitCode?: number }): void {
    clearInterval(this.#timer);
    this.#silence.stop();
    rmSync(this.#scratchDir, { recursive: true, force: true });
    if (this.#stopping) return;
    const how = signal ? `it was killed by ${signal}` : `it exited with code ${exitCode}`;
    const words = this.#lastWords ? `; its last words: ${this.#lastWords}` : '';
    const message = `the worker of ${placeName(this.#spec)} is gone: ${how}${words}`;
    this.#listener.onExit(this.#fatal ?? { code: 'stage_lost', message });
  }

  #take(message: unknown): void {
    const parsed = WorkerEvent.safeParse(message);
    if (!parsed.success) {
      const { message: error } = parsed.error;
      this.#log.error({ of: placeName(this.#spec), error }, 'a worker sent a message that is not known');
      return;
    }
    const event = parsed.data;
    if (event.kind === 'beat') {
      this.#silence.heard(event.busyMs);
      // the step or the layer before an answer may take its time
      const now = this.#clock.now();
      this.#busyUntil = event.busyMs > 0 ? now + event.busyMs : Math.min(this.#busyUntil, now);
      return;
    }
    this.#silence.heard();
    if (event.kind === 'fatal') {
      this.#fatal ??= { code: event.code, message: event.message };
      return;
    }
    if (event.kind === 'refusal') {
      this.#log.warn({ of: placeName(this.#spec) }, event.text);
      return;
    }
    if (this.#stopping) return;
    if (event.kind === 'loaded' && event.epoch !== this.#spec.epoch) return; // it is on its way to another place
    if ((event.kind === 'loaded' || event.kind === 'unlinked') && event.epoch === this.#spec.epoch) {
      this.#taken = this.#spec;
      this.#isThere = true;
      this.#isMoving = false;
    }
    if ('epoch' in event) this.#listener.onEvent(event, event.epoch);
    else if (this.#taken) this.#listener.onEvent(event, this.#taken.epoch);
  }

  #checkDeadlines(): void {
    const now = this.#clock.now();
    if (this.#isThere || this.#stopping) return;
    if (now - this.#askedAt > LOAD_TIMEOUT_MS)
      this.#kill(`it did not load within ${LOAD_TIMEOUT_MS / 1000} s`);
    else if (this.#isMoving && now - Math.max(this.#askedAt, this.#busyUntil) > MOVE_TIMEOUT_MS)
      this.#kill(`it did not take its new place within ${MOVE_TIMEOUT_MS / 1000} s`);
  }

  #kill(why: string): void {
    if (this.#stopping) return;
    this.#fatal ??= {
      code: 'stage_lost',
      message: `the worker of ${placeName(this.#spec)} was ended, ${why}`,
    };
    this.#child.kill('SIGKILL');
  }
}

function placeName({ role, index }: StageSpec): string {
  return role === 'draft' ? 'the draft' : `stage ${index}`;
}
