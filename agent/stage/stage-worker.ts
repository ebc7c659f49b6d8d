// One stage's worker: an engine, and the place in a ring that it has now. It outlives deployments: it moves from place to
// place with all that it holds. It speaks to its agent only through the function that it is given.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { asEspalierError, EspalierError } from '../../protocol/errors.ts';
import type { Credentials } from '../../protocol/identity.ts';
import {
  HOP_BEAT_MS,
  LAYER_LOAD_TIMEOUT_MS,
  STATS_INTERVAL_MS,
  WORKER_BEAT_MS,
} from '../../protocol/limits.ts';
import type { StageSpec } from '../../protocol/stage.ts';
import type { WorkerCommand, WorkerEvent } from '../../protocol/worker.ts';
import type { Engine, EnginePlace } from '../engine/engine.ts';
import type { TensorBytes } from '../engine/tensor-bytes.ts';
import { Pace } from './pace.ts';
import { Place } from './place.ts';
import { makeSettle } from './settle.ts';
import { draftFor, type LoadedDraft, remoteDraftOf, sourcesOf } from './speculation/load-sources.ts';
import type { GuessSource } from './speculation/source.ts';

type Command<K extends WorkerCommand['kind']> = WorkerCommand & { kind: K };

/** One hop beat to so many of those to the agent. */
const BEATS_PER_HOP_BEAT = HOP_BEAT_MS / WORKER_BEAT_MS;
/** A turn that comes later than this after the one before it, beyond what was announced, was sleep. */
const OVERSLEPT_MS = 1_000;

export class StageWorker {
  readonly #send: (event: WorkerEvent) => void;
  readonly #die: (error: unknown) => void;
  readonly #wrapSources: (sources: GuessSource[]) => GuessSource[];
  readonly #pace = new Pace();
  #engine: Engine | undefined;
  /** first stage only */
  #draft: LoadedDraft | undefined;
  #bytes: TensorBytes | undefined;
  #credentials: Credentials | undefined;
  #settle: () => Promise<void> = async () => {};
  #place: Place | undefined;
  /** the last place that was linked: its scheduler knows what KV there is */
  #kept: Place | undefined;
  #kvEpoch: number | null = null;
  /** of the place that it is to take, or has */
  #epoch = 0;
  /** for how long reading a layer may keep it from speaking, while it reads */
  #readingMs = 0;
  /** the silence that was last announced */
  #saidMs = 0;
  #beats = 0;
  /** loads, moves and links run one after the other */
  #turn: Promise<void> = Promise.resolve();

  /**
   * @param die ends the process, with this as its reason
   * @param wrapSources puts other sources of guesses in the place of a deployment's own, or before them
   */
  constructor(
    send: (event: WorkerEvent) => void,
    die: (error: unknown) => void,
    wrapSources: (sources: GuessSource[]) => GuessSource[] = (sources) => sources,
  ) {
    this.#send = send;
    this.#die = die;
    this.#wrapSources = wrapSources;
    setInterval(() => this.#beat(), WORKER_BEAT_MS);
    setInterval(() => this.#report(), STATS_INTERVAL_MS);
  }

  handle(command: Exclude<WorkerCommand, { kind: 'stop' }>): void {
    switch (command.kind) {
      case 'load':
        this.#queue(() => this.#load(command));
        break;
      case 'move':
        // at once: what is under way in the old place must not hold up the new one
        void this.#place?.leave();
        this.#queue(() => this.#move(command));
        break;
      case 'link':
        this.#queue(() => this.#link(command));
        break;
      case 'link-draft':
        this.#queue(() => this.#linkDraft(command));
        break;
      case 'leave':
        void this.#place?.leave();
        break;
      case 'generate':
        this.#queue(() => this.#generate(command));
        break;
      case 'cancel':
        this.#queue(() => this.#place?.cancel(command.requestId));
        break;
      case 'end-requests':
        this.#queue(() => this.#place?.cancelAll());
        break;
      case 'trace':
        this.#queue(() => this.#send({ kind: 'trace', steps: this.#place?.trace() ?? [] }));
        break;
    }
  }

  #queue(task: () => Promise<void> | void): void {
    this.#turn = this.#turn.then(task).catch((error) => this.#die(error));
  }

  async #load({ spec, credentials, hopHost, scratchDir }: Command<'load'>): Promise<void> {
    this.#epoch = spec.epoch;
    this.#credentials = credentials;
    await this.#reading(async () => {
      // loaded here, so that a missing library is an answer and not a crash
      const { Engine } = await import('../engine/engine.ts');
      const { TensorBytes } = await import('../engine/tensor-bytes.ts');
      const collect = globalThis.gc as Parameters<typeof makeSettle>[1];
      const kvBytes = () => (this.#engine?.kvBytes ?? 0) + (this.#draft?.source.kvBytes ?? 0);
      const settle = makeSettle(kvBytes, collect);
      this.#settle = async () => {
        await settle();
        this.#turned();
      };
      this.#bytes = new TensorBytes(scratchDir);
      this.#engine = await Engine.load({
        modelDir: spec.modelDir,
        fingerprint: spec.modelFingerprint,
        ...placeOf(spec),
        settle: this.#settle,
        settleAll: async () => {
          collect();
          await this.#settle();
        },
        onProgress: (layers, ofLayers) => {
          this.#send({ kind: 'progress', epoch: this.#epoch, layers, ofLayers });
        },
      });
      await this.#takeDraft(spec);
    });
    const { start, end } = spec.range;
    await this.#take(spec, hopHost, end - start);
  }

  async #move({ spec, hopHost }: Command<'move'>): Promise<void> {
    const engine = this.#engineNow;
    const before = this.#place?.spec;
    await this.#place?.leave();
    this.#place = undefined;
    const isSame =
      before?.index === spec.index &&
      before.stageCount === spec.stageCount &&
      before.range.start === spec.range.start &&
      before.range.end === spec.range.end;
    if (!isSame) this.#forget();
    this.#epoch = spec.epoch;
    const readLayers = await this.#reading(async () => {
      const layers = await engine.move(placeOf(spec));
      await this.#takeDraft(spec);
      return layers;
    });
    await this.#take(spec, hopHost, readLayers);
  }

  /** Loads the draft that a place needs, or lets go of the one that it does not. */
  async #takeDraft(spec: StageSpec): Promise<void> {
    this.#draft = await draftFor(spec, this.#draft, this.#settle);
  }

  /** Does what may read layers; each of them may take long. */
  async #reading<T>(task: () => Promise<T>): Promise<T> {
    this.#readingMs = LAYER_LOAD_TIMEOUT_MS;
    this.#say();
    try {
      return await task();
    } finally {
      this.#readingMs = 0;
      this.#say();
    }
  }

  /** Opens the place that `spec` describes, for which all is loaded. */
  async #take(spec: StageSpec, hopHost: string, readLayers: number): Promise<void> {
    const engine = this.#engineNow;
    const { epoch } = spec;
    const remote = remoteDraftOf(spec);
    const place: Place = new Place(
      spec,
      {
        credentials: this.#credentials as Credentials,
        engine,
        bytes: this.#bytes as TensorBytes,
        sources: this.#wrapSources(sourcesOf(spec, this.#draft, remote)),
        remote,
        settle: () => this.#settle(),
        busyMs: () => this.#busyMs,
        stepBegins: (tokens) => {
          this.#pace.begin(tokens, engine.layerCount, performance.now());
          // said before the process falls silent; short steps need no announcement
          return this.#pace.busyMs > 0 ? this.#sayAtOnce() : undefined;
        },
        stepEnds: () => {
          this.#pace.end(performance.now());
          // an announcement that outlives its step would hide a freeze
          if (this.#saidMs > this.#busyMs) this.#say();
        },
      },
      {
        onLinked: () => this.#send({ kind: 'linked', epoch }),
        onDraftLinked: (draftEpoch) => this.#send({ kind: 'draft-linked', draftEpoch }),
        onDraftUnlinked: (draftEpoch, reason) => this.#send({ kind: 'draft-unlinked', draftEpoch, reason }),
        onUnlinked: (hop, reason) => this.#send({ kind: 'unlinked', epoch, hop, reason }),
        onRefused: (text) => this.#send({ kind: 'refusal', text }),
        onAdmitted: (requestIds) => this.#send({ kind: 'admitted', requestIds }),
        onTokens: (tokens) => this.#send({ kind: 'tokens', tokens }),
        onRequestFailed: (failure) => this.#send({ kind: 'request-failed', failure }),
        onBroken: (error) => this.#die(error),
      },
    );
    this.#place = place;
    const { weightBytes } = engine;
    const { recommendedGpuBytes } = await import('../engine/mlx.ts');
    const gpuLimitBytes = recommendedGpuBytes();
    const kvEpoch = this.#kvEpoch;
    try {
      const hopPort = await place.listen(hopHost);
      this.#send({ kind: 'loaded', epoch, hopPort, weightBytes, readLayers, kvEpoch, gpuLimitBytes });
    } catch (error) {
      // an address that is gone, with its cable: no reason to lose what is loaded
      const reason = `it cannot listen at ${hopHost}: ${(error as Error).message}`;
      this.#send({ kind: 'unlinked', epoch, hop: 'before', reason });
    }
  }

  /** Dialling may take long, and nothing waits for it: a move ends it. */
  #link({ epoch, next, from, keepsKv }: Command<'link'>): void {
    const place = this.#place;
    // of a deployment that is no more, or said twice
    if (place?.spec.epoch !== epoch || place === this.#kept) return;
    if (!keepsKv) this.#forget();
    const before = this.#kept;
    this.#kept = place;
    this.#kvEpoch = epoch;
    place.link({ next, from, keepsKv, before }).catch((error) => this.#die(error));
  }

  /** As with the next stage, nothing waits for it. */
  #linkDraft({ link }: Command<'link-draft'>): void {
    void this.#place?.linkDraft(link);
  }

  #generate({ request }: Command<'generate'>): void {
    try {
      if (!this.#place) throw new EspalierError('old_epoch', 'this stage has no place in a ring');
      this.#place.submit(request);
    } catch (error) {
      const { code, message } = asEspalierError(error);
      this.#send({ kind: 'request-failed', failure: { requestId: request.requestId, code, message } });
    }
  }

  #forget(): void {
    this.#engineNow.forget();
    this.#kept = undefined;
    this.#kvEpoch = null;
  }

  get #engineNow(): Engine {
    if (!this.#engine) throw new EspalierError('internal', 'the agent moves a stage that is not loaded');
    return this.#engine;
  }

  /** The event loop had a turn in the middle of a step or a load. */
  #turned(): void {
    this.#pace.turn(performance.now(), WORKER_BEAT_MS + this.#busyMs + OVERSLEPT_MS);
  }

  /** For how long this process may be silent from now on. */
  get #busyMs(): number {
    return Math.max(this.#readingMs, this.#pace.busyMs);
  }

  /** Tells the agent and the next stage at once, before it falls silent. */
  #say(): void {
    const busyMs = this.#busyMs;
    this.#saidMs = busyMs;
    this.#send({ kind: 'beat', busyMs });
    this.#place?.beat(busyMs);
  }

  /** @returns when it is out: what waits behind a frame on a socket goes with the next turn of the event loop */
  async #sayAtOnce(): Promise<void> {
    this.#say();
    await nextTurn();
  }

  #beat(): void {
    this.#turned();
    const { stuck } = this.#pace;
    if (stuck !== undefined) this.#die(new EspalierError('no_progress', stuck));
    const busyMs = this.#busyMs;
    this.#saidMs = busyMs;
    this.#send({ kind: 'beat', busyMs });
    if (++this.#beats % BEATS_PER_HOP_BEAT === 0) this.#place?.beat(busyMs);
  }

  #report(): void {
    const place = this.#place;
    if (!place || place !== this.#kept) return; // not linked yet
    const { weightBytes, kvBytes, sessionCount: sessions } = this.#engineNow;
    const { kvUse, guessStats: guesses } = place;
    const { pid } = process;
    const residentBytes = process.memoryUsage.rss();
    const own = { pid, residentBytes, weightBytes, kvBytes, sessions };
    this.#send({
      kind: 'stats',
      stats: { ...own, ...(kvUse && { kvUse }), ...(guesses && { guesses }), ...place.report() },
    });
  }
}

function placeOf({ range, contextTokens, maxSessions, kvTokens }: StageSpec): EnginePlace {
  return { range, contextTokens, maxSessions, kvTokens };
}
