// Starts, watches and ends one rank of MLX Distributed: to the agent it is what StageSupervisor is for a stage of ours, in
// the same words; but a rank is never moved. It knows its own rank alone: what becomes of the others is the controller's
// decision.
import { rmSync } from 'node:fs';
import { isIPv4 } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { execa } from 'execa';
import type { Logger } from 'pino';
import { asEspalierError, EspalierError } from '../../protocol/errors.ts';
import { MAX_RANK_LINE_BYTES, WORKER_KILL_MS, WORKER_STOP_MS } from '../../protocol/limits.ts';
import type { RankLaunch, RankPlace } from '../../protocol/ranks.ts';
import type { StageSpec } from '../../protocol/stage.ts';
import { type WorkerCommand, WorkerEvent } from '../../protocol/worker.ts';
import { makeScratchDir } from '../stage/scratch.ts';
import type { StageListener } from '../stage/supervisor.ts';
import { requireEnvironment } from './environment.ts';
import { MLX_VARIABLES, writeLaunchFile } from './launch-files.ts';
import { LineReader } from './lines.ts';
import { checkModelFiles } from './model-check.ts';
import { noteRank } from './orphans.ts';
import { RankWatch } from './rank-watch.ts';
import { PYTHON_FLAGS, rankSource } from './sources.ts';

const WATCH_INTERVAL_MS = 500;
/** An interval that took so long was no interval: the agent itself stood still. */
const STANDSTILL_MS = 3_000;
/** What Python says at its end is its reason; all of it would be a log of its own. */
const MAX_LAST_WORDS = 2_000;

function spawnRank(python: string) {
  const unset = Object.fromEntries(MLX_VARIABLES.map((name) => [name, undefined]));
  return execa(python, [...PYTHON_FLAGS, rankSource('rank.py')], {
    stdin: 'pipe',
    stdout: 'pipe',
    stderr: 'pipe',
    buffer: false,
    reject: false,
    env: {
      ...unset,
      OPENBLAS_NUM_THREADS: process.env.OPENBLAS_NUM_THREADS ?? '1',
      // a rank never fetches anything: its model is on the disk
      HF_HUB_OFFLINE: '1',
      TOKENIZERS_PARALLELISM: 'false',
    },
  });
}

export class RankSupervisor {
  readonly spec: StageSpec;
  /** where the rank listens for the one that dials it */
  readonly hopHost: string;
  /** a rank that gets another place is started anew */
  readonly isMoving = false;
  readonly #place: RankPlace;
  readonly #scratchDir = makeScratchDir();
  readonly #log: Logger;
  readonly #listener: StageListener;
  readonly #watch: RankWatch;
  readonly #gone = Promise.withResolvers<void>();
  #child: ReturnType<typeof spawnRank> | undefined;
  #ticker: NodeJS.Timeout | undefined;
  #tickedAt = performance.now();
  #fatal: { code: string; message: string } | undefined;
  #lastWords = '';
  #stopping = false;
  #hasLoaded = false;
  /** it lost the others and has told so: its exit is no news */
  #isUnlinked = false;

  /** @param enginesDir of the environment @param node its name, for messages */
  constructor(
    { enginesDir, node }: { enginesDir: string; node: string },
    spec: StageSpec,
    hopHost: string,
    log: Logger,
    listener: StageListener,
  ) {
    if (!spec.ranks) throw new Error('a spec without ranks is for a stage of ours');
    this.spec = spec;
    this.hopHost = hopHost.replace(/^::ffff:/i, '');
    this.#place = spec.ranks;
    this.#watch = new RankWatch(performance.now(), spec.ranks.split);
    this.#log = log;
    this.#listener = listener;
    this.#start(enginesDir, node).catch((error: unknown) => this.#end(asEspalierError(error)));
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** The place that it holds: what it was started for, once it has loaded. */
  get taken(): StageSpec | undefined {
    return this.#hasLoaded && !this.#isUnlinked && !this.#stopping ? this.spec : undefined;
  }

  send(command: WorkerCommand): void {
    const now = performance.now();
    switch (command.kind) {
      case 'link':
        this.#watch.enter('linking', now);
        this.#write(this.#linkWords(command.ranks));
        break;
      case 'trace':
        // MLX computes a step lazily, as a whole: its parts are timed now and then, and told as stats
        this.#listener.onEvent({ kind: 'trace', steps: [] }, this.spec.epoch);
        break;
      case 'leave':
        // a ring cannot be left but by its end
        void this.stop();
        break;
      case 'end-requests':
        for (const requestId of this.#watch.running) this.#write({ kind: 'cancel', requestId });
        this.#watch.endAll();
        break;
      default:
        if (command.kind === 'cancel') this.#watch.ended(command.requestId);
        if (command.kind === 'generate') this.#began(command.request.requestId, now);
        this.#write(command);
    }
  }

  /** mlx-lm takes up what it is given: a rank that crashes from now on may do so because of it. */
  #began(requestId: string, now: number): void {
    this.#watch.began(requestId, now);
    this.#listener.onEvent({ kind: 'admitted', requestIds: [requestId] }, this.spec.epoch);
  }

  /**
   * Ends the rank: asked first, which one that stands in a collective hears as well; killed after WORKER_STOP_MS; left behind
   * where not even that ends it.
   */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#write({ kind: 'stop' });
    const kill = setTimeout(() => this.#child?.kill('SIGKILL'), WORKER_STOP_MS);
    const left = new AbortController();
    const isLeft = delay(WORKER_STOP_MS + WORKER_KILL_MS, true, { signal: left.signal }).catch(() => false);
    if (await Promise.race([this.#gone.promise.then(() => false), isLeft]))
      this.#log.error({ pid: this.pid }, 'a rank cannot be killed: it waits for a disk or a driver');
    clearTimeout(kill);
    left.abort();
  }

  async #start(enginesDir: string, node: string): Promise<void> {
    const { hopHost } = this;
    if (this.#place.rankCount > 1 && !isIPv4(hopHost)) {
      const message = `MLX Distributed links its ranks over IPv4 alone, and ${node} was reached at ${hopHost}`;
      throw new EspalierError('bad_option', message);
    }
    const [{ python }] = await Promise.all([
      requireEnvironment(enginesDir, node),
      checkModelFiles(this.spec),
    ]);
    if (this.#stopping) return this.#end(undefined);
    const child = spawnRank(python);
    this.#child = child;
    if (child.pid !== undefined) noteRank(this.#scratchDir, child.pid);
    const lines = new LineReader(
      MAX_RANK_LINE_BYTES,
      (line) => this.#take(line),
      () => this.#kill('it wrote a line without end'),
    );
    child.stdout.on('data', (chunk: Buffer) => lines.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => this.#complain(chunk.toString()));
    // a rank that is gone cannot be written to: its exit says why
    child.stdin.on('error', () => undefined);
    this.#ticker = setInterval(() => this.#look(), WATCH_INTERVAL_MS);
    const { spec } = this;
    this.#write({ kind: 'load', spec, hopHost, scratchDir: this.#scratchDir });
    const { signal, exitCode } = await child;
    const how = signal ? `it was killed by ${signal}` : `it exited with code ${exitCode}`;
    const said = this.#lastWords.trim().split('\n').at(-1) ?? '';
    const message = `rank ${this.#place.rank} of MLX Distributed is gone: ${how}${said && ` (${said})`}`;
    this.#end(this.#fatal ?? { code: 'stage_lost', message });
  }

  #linkWords(launch: RankLaunch | undefined): object {
    // alone, there is nobody to find
    if (!launch) return { kind: 'link', backend: 'any', environment: {} };
    const environment = writeLaunchFile(this.#scratchDir, launch, this.#place.rank);
    return { kind: 'link', backend: launch.backend, environment };
  }

  #end(failure: { code: string; message: string } | undefined): void {
    clearInterval(this.#ticker);
    rmSync(this.#scratchDir, { recursive: true, force: true });
    this.#gone.resolve();
    if (this.#stopping || this.#isUnlinked || !failure) return;
    this.#listener.onExit({ code: failure.code, message: failure.message });
  }

  #write(words: object): void {
    const stdin = this.#child?.stdin;
    if (stdin?.writable) stdin.write(`${JSON.stringify(words)}\n`);
  }

  #take(line: string): void {
    const now = performance.now();
    const event = WorkerEvent.safeParse(parsed(line));
    if (!event.success) {
      this.#log.error({ stage: this.spec.index, line: line.slice(0, 200) }, 'a rank said what is not known');
      return;
    }
    const { data } = event;
    this.#watch.heard(now);
    if (data.kind === 'loaded') {
      this.#hasLoaded = true;
      this.#watch.enter('loaded', now);
    }
    if (data.kind === 'unlinked') this.#isUnlinked = true;
    if (data.kind === 'linked') this.#watch.enter('linked', now);
    if (data.kind === 'stats') this.#watch.steps(data.stats.stepsTotal, now);
    if (data.kind === 'request-failed') this.#watch.ended(data.failure.requestId);
    if (data.kind === 'tokens') {
      for (const { requestId, finish } of data.tokens) if (finish !== null) this.#watch.ended(requestId);
    }
    if (data.kind === 'fatal') this.#fatal = { code: data.code, message: data.message };
    else if (!this.#stopping) this.#listener.onEvent(data, this.spec.epoch);
  }

  #look(): void {
    const now = performance.now();
    if (now - this.#tickedAt > STANDSTILL_MS) this.#watch.pardon(now);
    this.#tickedAt = now;
    const reason = this.#watch.verdict(now);
    if (reason !== undefined) this.#kill(reason);
  }

  /** Not asked first: who is frozen does not hear. */
  #kill(reason: string): void {
    this.#fatal ??= { code: 'stage_lost', message: `rank ${this.#place.rank} of MLX Distributed: ${reason}` };
    this.#child?.kill('SIGKILL');
  }

  #complain(text: string): void {
    this.#lastWords = (this.#lastWords + text).slice(-MAX_LAST_WORDS);
    this.#log.warn({ stage: this.spec.index }, text.trimEnd());
  }
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
