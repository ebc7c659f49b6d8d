// The worker of a draft on a node of its own: a whole small model, and the place beside a ring that it has now. It goes from
// deployment to deployment with what it has loaded. It speaks to its agent only through the function that it is given.
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Credentials } from '../../../protocol/identity.ts';
import {
  HOP_BEAT_MS,
  LAYER_LOAD_TIMEOUT_MS,
  STATS_INTERVAL_MS,
  WORKER_BEAT_MS,
} from '../../../protocol/limits.ts';
import type { StageSpec } from '../../../protocol/stage.ts';
import type { WorkerCommand, WorkerEvent } from '../../../protocol/worker.ts';
import { Pace } from '../pace.ts';
import { makeSettle } from '../settle.ts';
import { DraftPlace } from './draft-place.ts';
import type { DraftSource } from './draft-source.ts';
import { type DraftLimits, loadDraft } from './load-draft.ts';

/** One hop beat to so many of those to the agent. */
const BEATS_PER_HOP_BEAT = HOP_BEAT_MS / WORKER_BEAT_MS;

interface Loaded {
  limits: DraftLimits;
  source: DraftSource;
}

export class DraftWorker {
  readonly #send: (event: WorkerEvent) => void;
  readonly #die: (error: unknown) => void;
  readonly #pace = new Pace();
  readonly #settle: () => Promise<void>;
  #credentials: Credentials | undefined;
  #loaded: Loaded | undefined;
  #place: DraftPlace | undefined;
  #layerCount = 0;
  #isReading = false;
  #beats = 0;
  /** loads and moves run one after the other */
  #turn: Promise<void> = Promise.resolve();

  /** @param die ends the process, with this as its reason */
  constructor(send: (event: WorkerEvent) => void, die: (error: unknown) => void) {
    this.#send = send;
    this.#die = die;
    const collect = globalThis.gc as Parameters<typeof makeSettle>[1];
    const settle = makeSettle(() => this.#loaded?.source.kvBytes ?? 0, collect);
    this.#settle = async () => {
      await settle();
      this.#pace.turn(performance.now());
    };
    setInterval(() => this.#beat(), WORKER_BEAT_MS);
    setInterval(() => {
      if (this.#place) this.#send({ kind: 'draft-stats', stats: this.#place.report() });
    }, STATS_INTERVAL_MS);
  }

  /** What is said of stages alone is none of a draft's. */
  handle(command: Exclude<WorkerCommand, { kind: 'stop' }>): void {
    if (command.kind === 'load') {
      this.#credentials = command.credentials;
      this.#queue(() => this.#take(command.spec, command.hopHost));
    } else if (command.kind === 'move') this.#queue(() => this.#take(command.spec, command.hopHost));
    else if (command.kind === 'leave') this.#queue(() => this.#leave());
  }

  #queue(task: () => Promise<void>): void {
    this.#turn = this.#turn.then(task).catch((error) => this.#die(error));
  }

  async #leave(): Promise<void> {
    const place = this.#place;
    this.#place = undefined;
    await place?.leave();
  }

  async #take(spec: StageSpec, hopHost: string): Promise<void> {
    await this.#leave();
    const held = this.#loaded;
    const source = await this.#load(spec);
    const readLayers = this.#loaded === held ? 0 : spec.range.end;
    const { epoch } = spec;
    const place = new DraftPlace(
      spec,
      {
        credentials: this.#credentials as Credentials,
        source,
        settle: () => this.#settle(),
        busyMs: () => this.#busyMs,
        guessBegins: (tokens) => {
          this.#pace.begin(tokens, this.#layerCount, performance.now());
          return this.#pace.busyMs > 0 ? this.#sayAtOnce() : undefined;
        },
        guessEnds: () => this.#pace.end(performance.now()),
      },
      {
        onLost: (reason) => this.#send({ kind: 'unlinked', epoch, hop: 'before', reason }),
        onRefused: (text) => this.#send({ kind: 'refusal', text }),
        onBroken: (error) => this.#die(error),
      },
    );
    this.#place = place;
    const { recommendedGpuBytes } = await import('../../engine/mlx.ts');
    const gpuLimitBytes = recommendedGpuBytes();
    try {
      const hopPort = await place.listen(hopHost);
      const { weightBytes } = source;
      const told = { weightBytes, readLayers, kvEpoch: null, gpuLimitBytes };
      this.#send({ kind: 'loaded', epoch, hopPort, ...told });
    } catch (error) {
      const reason = `it cannot listen at ${hopHost}: ${(error as Error).message}`;
      this.#send({ kind: 'unlinked', epoch, hop: 'before', reason });
    }
  }

  /** The agent moves a draft only where its folder is the same: what may differ is how much it must hold. */
  async #load({ modelDir, modelFingerprint, contextTokens, maxSessions, kvTokens, range }: StageSpec) {
    const limits = { contextTokens, maxSessions, kvTokens };
    if (this.#loaded && JSON.stringify(this.#loaded.limits) === JSON.stringify(limits))
      return this.#loaded.source;
    this.#loaded = undefined;
    this.#layerCount = range.end;
    this.#isReading = true;
    this.#say();
    try {
      await this.#settle();
      const source = await loadDraft(modelDir, limits, this.#settle, modelFingerprint);
      this.#loaded = { limits, source };
      return source;
    } finally {
      this.#isReading = false;
      this.#say();
    }
  }

  /** For how long this process may be silent from now on. */
  get #busyMs(): number {
    return Math.max(this.#isReading ? LAYER_LOAD_TIMEOUT_MS : 0, this.#pace.busyMs);
  }

  #say(): void {
    this.#send({ kind: 'beat', busyMs: this.#busyMs });
    this.#place?.beat(this.#busyMs);
  }

  /** @returns when it is out */
  async #sayAtOnce(): Promise<void> {
    this.#say();
    await nextTurn();
  }

  #beat(): void {
    this.#pace.turn(performance.now());
    this.#send({ kind: 'beat', busyMs: this.#busyMs });
    if (++this.#beats % BEATS_PER_HOP_BEAT === 0) this.#place?.beat(this.#busyMs);
  }
}
