// The heart of a stage worker: takes steps from the hop before it (on the first stage: from the scheduler), runs them
// through the engine one after the other, and sends what comes out to the next stage. It knows its neighbours only.
import { EspalierError } from '../../protocol/errors.ts';
import type { GenerateRequest, RequestFailure, TokenEvent } from '../../protocol/generate.ts';
import { MAX_QUEUED_FRAMES, MAX_REQUESTS, MAX_ROWS } from '../../protocol/limits.ts';
import type { GuessStats } from '../../protocol/speculation.ts';
import type { KvUse, StageSpec } from '../../protocol/stage.ts';
import type { Engine, Sampled } from '../engine/engine.ts';
import type { Tensor } from '../engine/mlx.ts';
import type { Fault } from '../engine/sessions.ts';
import { type SessionOp, tokenCount } from '../engine/step.ts';
import { type TensorBytes, wireDtype } from '../engine/tensor-bytes.ts';
import { withRows } from './fewer-rows.ts';
import type { CancelFrame, Frame, SampledToken, StepFrame, TokensFrame } from './frame.ts';
import type { Meter } from './meter.ts';
import { type ScheduledStep, Scheduler, type SchedulerOptions } from './scheduler.ts';
import type { GuessSource } from './speculation/source.ts';
import { Speculator } from './speculation/speculator.ts';
import { StepCosts } from './speculation/step-costs.ts';
import type { Tracer } from './tracer.ts';

/** How long a stage is without work before it tidies up. */
const TIDY_AFTER_MS = 1;
/** Steps after which it tidies up in any case. */
const MAX_UNSETTLED = 3;

export interface StageOutlets {
  /** to the next stage; on a cluster of one stage there is none */
  send(frame: Frame): void;
  /** first stage: these requests have sessions from now on */
  admitted(requestIds: string[]): void;
  tokens(events: TokenEvent[]): void;
  failed(failure: RequestFailure): void;
  /** frees what a step left behind */
  settle(): Promise<void>;
  /** a step begins, and keeps this process busy; resolves when what is to be said before that is said */
  stepBegins(tokens: number): Promise<void> | void;
  stepEnds(): void;
}

export class StageLoop {
  readonly #spec: StageSpec;
  readonly #engine: Engine;
  readonly #bytes: TensorBytes;
  readonly #meter: Meter;
  readonly #tracer: Tracer;
  readonly #outlets: StageOutlets;
  /** first stage only, from `begin` on */
  #scheduler: Scheduler | undefined;
  /** first stage only, where there is another one and something to guess with */
  readonly #speculator: Speculator | undefined;
  readonly #costs = new StepCosts();
  /** requests were cancelled since the last turn */
  #hasCancelled = false;
  readonly #frames: (StepFrame | TokensFrame)[] = [];
  #isStopped = false;
  #ended: Promise<void> = Promise.resolve();
  #wake: (() => void) | undefined;
  /** something arrived since the last turn began */
  #news = false;

  /** @param sources what the first stage guesses with; none for no guesses */
  constructor(
    spec: StageSpec,
    engine: Engine,
    bytes: TensorBytes,
    measures: { meter: Meter; tracer: Tracer },
    outlets: StageOutlets,
    sources: readonly GuessSource[] = [],
  ) {
    const canGuess = engine.isFirst && spec.stageCount > 1 && sources.length > 0;
    const { vocabSize } = engine;
    const { stageCount } = spec;
    const now = () => performance.now();
    if (canGuess) this.#speculator = new Speculator(sources, this.#costs, { stageCount, vocabSize }, now);
    for (const source of sources) {
      source.listen?.((isNew) => {
        if (isNew) this.#speculator?.tryAgain();
        this.#notify();
      });
    }
    this.#spec = spec;
    this.#engine = engine;
    this.#bytes = bytes;
    this.#meter = measures.meter;
    this.#tracer = measures.tracer;
    this.#outlets = outlets;
  }

  /**
   * First stage only: takes a request into the queue.
   * @throws EspalierError invalid_request, context_length_exceeded, kv_full, queue_full: for this request alone
   */
  submit(request: GenerateRequest): void {
    if (!this.#scheduler) throw new EspalierError('internal', 'requests go to the first stage of a ring');
    const { promptIds, generatedIds = [] } = request;
    const isStrange = (id: number) => id >= this.#engine.vocabSize;
    const wrong = promptIds.find(isStrange) ?? generatedIds.find(isStrange);
    if (wrong !== undefined) {
      throw new EspalierError(
        'invalid_request',
        `token id ${wrong} is not in the vocabulary of ${this.#engine.vocabSize}`,
      );
    }
    const strange = request.sampling.logitBias?.find(([id]) => id >= this.#engine.vocabSize);
    if (strange !== undefined) {
      throw new EspalierError(
        'invalid_request',
        `logit_bias: token id ${strange[0]} is not in the vocabulary of ${this.#engine.vocabSize}`,
      );
    }
    const needed = request.promptIds.length + request.maxTokens;
    if (needed > this.#spec.contextTokens) {
      const what = `${request.promptIds.length} prompt tokens and ${request.maxTokens} more exceed`;
      throw new EspalierError(
        'context_length_exceeded',
        `${what} the context of ${this.#spec.contextTokens} tokens`,
      );
    }
    this.#scheduler.add(request);
    this.#notify();
  }

  /** First stage only: who holds how much of the KV. */
  get kvUse(): KvUse | undefined {
    return this.#scheduler?.kvUse;
  }

  /** First stage only: what was guessed; undefined where nothing ever is. */
  get guessStats(): GuessStats | undefined {
    return this.#speculator?.stats;
  }

  cancel(requestId: string): void {
    this.#scheduler?.cancel(requestId);
    this.#hasCancelled = true;
    this.#notify();
  }

  /** First stage only: ends all requests, and keeps their KV. */
  cancelAll(): void {
    this.#scheduler?.cancelAll();
    this.#hasCancelled = true;
    this.#notify();
  }

  /** @returns false when more frames arrive than a ring can have in flight: the neighbour is out of order */
  receive(frame: Frame): boolean {
    // of a plan that is no more, or of one that will be no more
    if (frame.epoch !== this.#spec.epoch || this.#isStopped) return true;
    if (frame.kind === 'cancel') this.#cancelGuesses(frame);
    if (frame.kind !== 'step' && frame.kind !== 'tokens') return true;
    if (this.#frames.length >= MAX_QUEUED_FRAMES) return false;
    this.#frames.push(frame);
    this.#notify();
    return true;
  }

  /** At once: the steps that wait here, and those on their way after them, need not be computed. */
  #cancelGuesses(frame: CancelFrame): void {
    for (const { session, position } of frame.guesses) this.#engine.cancelGuesses(session, position);
    if (!this.#engine.isLast) this.#outlets.send(frame);
  }

  /**
   * First stage: from now on it takes requests.
   * @param keepsKv whether all stages go on with the KV that they have
   * @param before the loop of the deployment of which that KV is
   */
  begin(keepsKv: boolean, before?: StageLoop): void {
    if (this.#engine.isFirst) this.#scheduler = this.#makeScheduler(keepsKv, before);
  }

  /** Runs until it is stopped. Rejects where the engine cannot go on, and the worker must end. */
  run(): Promise<void> {
    this.#ended = this.#turns();
    return this.#ended;
  }

  /** Takes up no further step. @returns when the one under way has ended; never rejects */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#frames.length = 0;
    this.#notify();
    await this.#ended.catch(() => undefined);
  }

  #makeScheduler(keepsKv: boolean, before: StageLoop | undefined): Scheduler {
    const { stageCount, prefillChunkTokens, maxChunkScores, maxSessions, kvTokens } = this.#spec;
    const options: SchedulerOptions = {
      stageCount,
      prefillChunkTokens,
      maxChunkScores,
      maxSessions,
      maxWaiting: MAX_REQUESTS,
      maxRows: MAX_ROWS,
      kvTokens,
    };
    // one that holds nothing tells all stages to keep nothing
    const held = before ? before.#scheduler : undefined;
    return new Scheduler(options, keepsKv ? (held ?? new Scheduler(options)) : undefined);
  }

  async #turns(): Promise<void> {
    let unsettled = 0;
    while (!this.#isStopped) {
      this.#news = false;
      const worked = this.#scheduler ? await this.#headTurn(this.#scheduler) : await this.#turn();
      if (worked) unsettled += 1;
      // the next stage has just begun, perhaps on this very machine: tidying up waits until it has its core
      const isQuiet = !worked && unsettled > 0 && !(await this.#newsWithin(TIDY_AFTER_MS));
      if (isQuiet || (worked && (this.#hasWork() || unsettled > MAX_UNSETTLED))) {
        await this.#outlets.settle();
        unsettled = 0;
      } else if (!worked && unsettled === 0) {
        await this.#sleep();
      }
    }
  }

  #hasWork(): boolean {
    return !this.#isStopped && (this.#frames.length > 0 || (this.#scheduler?.hasWork ?? false));
  }

  /** Whether something arrives within some time. */
  async #newsWithin(timeoutMs: number): Promise<boolean> {
    const timer = setTimeout(() => this.#wake?.(), timeoutMs);
    await this.#sleep();
    clearTimeout(timer);
    return this.#news;
  }

  #notify(): void {
    this.#news = true;
    this.#wake?.();
  }

  /** Until something arrives; not at all if it did since the turn began. */
  #sleep(): Promise<void> {
    if (this.#news) return Promise.resolve();
    return new Promise((resolve) => {
      this.#wake = () => {
        this.#wake = undefined;
        resolve();
      };
    });
  }

  async #headTurn(scheduler: Scheduler): Promise<boolean> {
    this.#hear(scheduler);
    const next = scheduler.next();
    if (!next) return this.#guess(scheduler);
    await this.#runScheduled(next);
    return true;
  }

  /** What came back from the last stage. */
  #hear(scheduler: Scheduler): void {
    for (const frame of this.#frames.splice(0)) {
      if (frame.kind !== 'tokens') continue;
      const judged = scheduler.complete(frame.step, frame.sampled);
      this.#speculator?.judged(judged, scheduler.sessionCount);
    }
    // not where it is cancelled: a source may be in the middle of its text
    if (this.#hasCancelled) this.#speculator?.sweep((session) => scheduler.isRunning(session));
    this.#hasCancelled = false;
    const guesses = scheduler.takeCancelled();
    if (guesses.length === 0) return;
    // of what the first stage has sent, only stages between it and the last one, which judges itself, can leave any out
    if (this.#spec.stageCount > 2) this.#outlets.send({ kind: 'cancel', epoch: this.#spec.epoch, guesses });
  }

  /** Nothing real is to be done: a guess may take the slot. @returns whether anything was done */
  async #guess(scheduler: Scheduler): Promise<boolean> {
    const wish = this.#speculator && scheduler.guessWish();
    const speculator = this.#speculator;
    if (!speculator || !wish) return false;
    const isEnough = () => {
      // guessing takes time: what comes back meanwhile may give real work, which goes first
      this.#hear(scheduler);
      return this.#isStopped || scheduler.hasWork || !scheduler.isRunning(wish.session);
    };
    const guess = await speculator.guess(wish, isEnough);
    if (guess === undefined) return false;
    if (guess === 'working' || this.#isStopped) return true;
    this.#hear(scheduler);
    const real = scheduler.next();
    if (real) {
      await this.#runScheduled(real);
      this.#hear(scheduler);
    }
    // what is left of the guess may still be right behind the real row
    const next = scheduler.hasWork ? undefined : scheduler.nextGuess(guess, guess.ids);
    // a guess that has no room must not be made again and again: the next answer is waited for
    if (!next) return real !== undefined;
    speculator.sent(guess, next.rows.length);
    await this.#runScheduled(next);
    return true;
  }

  #runScheduled({ step, ops, rows, ids }: ScheduledStep): Promise<void> {
    const admitted = ops.flatMap((op) => (op.op === 'open' ? op.requestId : []));
    // before they are computed: what breaks in it must be known to be theirs
    if (admitted.length > 0) this.#outlets.admitted(admitted);
    return this.#runStep({ kind: 'step', epoch: this.#spec.epoch, step, ops, rows }, ids);
  }

  async #turn(): Promise<boolean> {
    const frame = this.#frames.shift();
    if (!frame) return false;
    if (frame.kind === 'step') await this.#runStep(frame, undefined);
    return true;
  }

  async #runStep(frame: StepFrame, ids: readonly number[] | undefined): Promise<void> {
    await this.#outlets.stepBegins(tokenCount(frame.rows));
    try {
      await this.#compute(frame, ids);
    } finally {
      this.#outlets.stepEnds();
    }
  }

  async #compute(received: StepFrame, ids: readonly number[] | undefined): Promise<void> {
    const begin = performance.now();
    this.#tracer.begin(received.step, received.rows);
    const faults = this.#engine.apply(received.ops);
    const frame = withRows(received, this.#engine.worthwhile(received.rows));
    const { rows } = frame;
    this.#tracer.mark('compute');
    let hidden: Tensor | undefined;
    if (rows.length > 0) {
      const ran = await this.#engine.run(rows, ids ?? this.#inputOf(frame));
      faults.push(...ran.faults);
      hidden = ran.hidden;
    }
    if (this.#engine.isLast) await this.#answer(frame, hidden, faults);
    else this.#pass(frame, hidden, faults);
    const ms = performance.now() - begin;
    this.#meter.step(rows, ms);
    if (rows.length > 0 && rows.every((row) => row.count === 1)) {
      this.#costs.note(rows.length, ms);
      this.#engine.anticipate(rows.map((row) => ({ ...row, position: row.position + 1 })));
    }
    this.#tracer.end();
  }

  #inputOf({ rows, hidden }: StepFrame): Tensor {
    if (!hidden) throw new EspalierError('engine_failed', 'a step with rows came without their hidden state');
    const tensor = this.#bytes.write(hidden.bytes, hidden.dtype, [tokenCount(rows), hidden.width]);
    this.#tracer.mark('deserialize');
    return tensor;
  }

  /** To the next stage; what was found wrong here, it must know as well. */
  #pass({ kind, epoch, step, ops, rows }: StepFrame, hidden: Tensor | undefined, faults: Fault[]): void {
    const checked = hidden && this.#engine.check(rows, hidden);
    this.#tracer.mark('compute'); // evaluated: what follows is copying
    const known = new Set(ops.map((op) => (op.op === 'fail' ? op.session : undefined)));
    const found = [...faults, ...(checked?.faults ?? [])].filter(({ session }) => !known.has(session));
    const frame: StepFrame = { kind, epoch, step, ops: [...ops, ...found.map(failOp)], rows: [...rows] };
    if (checked) {
      const width = checked.hidden.shape[1] as number;
      const bytes = this.#bytes.read(checked.hidden);
      frame.hidden = { dtype: wireDtype(checked.hidden), width, bytes };
    }
    // without guesses that were found to be of no use just now
    this.#outlets.send(withRows(frame, this.#engine.worthwhile(rows)));
  }

  /** Last stage: draws the tokens, sends them to the first stage and only then tells the agent. */
  async #answer(frame: StepFrame, hidden: Tensor | undefined, faults: Fault[]): Promise<void> {
    const drawn = hidden ? await this.#engine.sample(frame.rows, hidden) : { sampled: [], faults: [] };
    this.#tracer.mark('compute');
    const failed = [...faults, ...drawn.faults];
    const answer: TokensFrame = {
      kind: 'tokens',
      epoch: frame.epoch,
      step: frame.step,
      sampled: [
        ...drawn.sampled.map(
          ({ session, token, finish }): SampledToken => ({ session, token, outcome: finish ?? 'next' }),
        ),
        ...failed.map(({ session }): SampledToken => ({ session, token: undefined, outcome: 'failed' })),
      ],
    };
    if (this.#scheduler) this.#scheduler.complete(answer.step, answer.sampled);
    else this.#outlets.send(answer);
    this.#tell(drawn.sampled, failed);
  }

  #tell(sampled: readonly Sampled[], faults: readonly Fault[]): void {
    const events = sampled.map(({ requestId, index, token, finish, logprobs, cachedTokens }): TokenEvent => {
      const cached = cachedTokens === undefined ? {} : { cachedTokens };
      if (finish === 'stop') return { requestId, index, token: null, finish, ...cached };
      return { requestId, index, token, finish, ...logprobs, ...cached };
    });
    if (events.length > 0) this.#outlets.tokens(events);
    for (const { requestId, code, message } of faults) {
      if (requestId !== undefined) this.#outlets.failed({ requestId, code, message });
    }
  }
}

function failOp({ session, code, message }: Fault): SessionOp {
  return { op: 'fail', session, code, message };
}
