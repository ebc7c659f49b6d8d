// The live requests: hands each to the head stage, brings its tokens back in order, keeps what it has while the cluster
// recovers from a loss, and ends it by a deadline when nothing moves any more. It knows neither nodes nor plans.
import { randomUUID } from 'node:crypto';
import { EspalierError, isErrorCode } from '../protocol/errors.ts';
import type { GenerateRequest, RequestFailure, TokenEvent } from '../protocol/generate.ts';
import {
  MAX_REQUEST_CRASHES,
  MAX_REQUESTS,
  RECOVERY_TIMEOUT_MS,
  REQUEST_PROGRESS_TIMEOUT_MS,
} from '../protocol/limits.ts';
import type { GuessStats } from '../protocol/speculation.ts';
import type { RequestStatus } from '../protocol/status.ts';
import { Rate } from './rate.ts';
import type { TokenSource } from './token-source.ts';

export interface HeadOutlet {
  /**
   * Whether requests go to the stages now, or are kept until the cluster has recovered.
   * @throws EspalierError not_ready with the reason, when neither is the case
   */
  readiness(): 'serving' | 'recovering';
  generate(request: GenerateRequest): void;
  cancel(requestId: string): void;
  /** sessions that the stages hold at once; more wait */
  readonly maxSessions: number;
}

interface LiveRequest {
  request: GenerateRequest;
  /** the program that asks, for people */
  client: string | undefined;
  /** the tokens of its answer so far, for a deployment that has to go on from them */
  generatedIds: number[];
  events: TokenEvent[];
  error: EspalierError | undefined;
  /** its last token is there, and perhaps still to be read */
  isComplete: boolean;
  /** whether the stages have it */
  isSent: boolean;
  /** whether the first stage has taken it up, so that steps compute it; while it is suspended: was, and of a crash nobody told */
  isAdmitted: boolean;
  /** why it waits for the cluster; undefined while the stages have it, or it waits for its turn there */
  suspendedSince: number | undefined;
  /** crashes of a stage in a row without a token in between */
  crashes: number;
  onNotice: ((text: string) => void) | undefined;
  wake: (() => void) | undefined;
  startedAt: number;
  firstTokenAt: number | undefined;
  lastProgressAt: number;
}

export class Requests implements TokenSource {
  readonly #outlet: HeadOutlet;
  readonly #onCount: (live: number) => void;
  readonly #live = new Map<string, LiveRequest>();
  readonly #rate = new Rate(performance.now());
  /** those that had to be sent again and have not gone on yet */
  readonly #resuming = new Set<string>();
  #onResumed: ((replayMs: number) => void) | undefined;
  #resumedAt = 0;
  completed = 0;
  failedCount = 0;
  tokensTotal = 0;
  timeToFirstTokenMs: number | null = null;

  constructor(outlet: HeadOutlet, onCount: (live: number) => void) {
    this.#outlet = outlet;
    this.#onCount = onCount;
  }

  async *generate(
    wanted: Omit<GenerateRequest, 'requestId'>,
    signal: AbortSignal,
    onNotice?: (text: string) => void,
    client?: string,
  ): AsyncGenerator<TokenEvent> {
    if (this.#live.size >= MAX_REQUESTS) {
      throw new EspalierError('queue_full', `${this.#live.size} requests are running or waiting already`);
    }
    const readiness = this.#outlet.readiness();
    const request: GenerateRequest = { ...wanted, requestId: randomUUID() };
    const now = performance.now();
    const live: LiveRequest = {
      request,
      client,
      generatedIds: [],
      events: [],
      error: undefined,
      isComplete: false,
      isSent: false,
      isAdmitted: false,
      suspendedSince: readiness === 'serving' ? undefined : now,
      crashes: 0,
      onNotice,
      wake: undefined,
      startedAt: now,
      firstTokenAt: undefined,
      lastProgressAt: now,
    };
    const onAbort = () => live.wake?.();
    signal.addEventListener('abort', onAbort);
    this.#live.set(request.requestId, live);
    this.#onCount(this.#live.size);
    let isFinished = false;
    try {
      if (readiness === 'serving') this.#send(live);
      while (!isFinished && !signal.aborted) {
        const event = live.events.shift();
        if (event) {
          isFinished = event.finish !== null;
          if (isFinished) this.completed += 1;
          yield event;
        } else if (live.error) {
          this.failedCount += 1;
          isFinished = true;
          throw live.error;
        } else {
          await wakeOf(live);
        }
      }
    } finally {
      signal.removeEventListener('abort', onAbort);
      if (!isFinished && live.isSent) this.#outlet.cancel(request.requestId);
      this.#live.delete(request.requestId);
      this.#goesOn(request.requestId);
      this.#onCount(this.#live.size);
    }
  }

  /** Tokens from the last stage. A token that was had already is dropped; a gap ends the request. */
  receive(tokens: readonly TokenEvent[]): void {
    const now = performance.now();
    for (const event of tokens) {
      const live = this.#live.get(event.requestId);
      const received = live?.generatedIds.length ?? 0;
      // of a deployment that is over: what it still says, the next one says again
      if (!live?.isSent || isOver(live) || event.index < received) continue;
      if (event.index > received) {
        const missing = `token ${received} of the answer did not arrive, ${event.index} did`;
        this.#end(live, new EspalierError('internal', missing));
        continue;
      }
      if (event.token !== null) {
        live.generatedIds.push(event.token);
        this.tokensTotal += 1;
        this.#rate.add(now, 1);
      }
      if (live.firstTokenAt === undefined) {
        live.firstTokenAt = now;
        this.timeToFirstTokenMs = now - live.startedAt;
      }
      live.lastProgressAt = now;
      live.crashes = 0;
      live.isComplete = event.finish !== null;
      // of a prompt and an answer that are computed again, nothing counts as saved
      const { cachedTokens, ...told } = event;
      live.events.push(event.index === 0 && cachedTokens !== undefined ? event : told);
      live.wake?.();
      this.#goesOn(event.requestId);
    }
  }

  /** The first stage has taken these up: a stage that crashes from now on may do so because of them. */
  admit(requestIds: readonly string[]): void {
    for (const requestId of requestIds) {
      const live = this.#live.get(requestId);
      if (live?.isSent) live.isAdmitted = true;
    }
  }

  fail({ requestId, code, message }: RequestFailure): void {
    const live = this.#live.get(requestId);
    if (live) this.#end(live, new EspalierError(isErrorCode(code) ? code : 'internal', message));
  }

  /** Ends a request because an operator wants it. @returns whether there is such a request */
  cancel(requestId: string): boolean {
    const live = this.#live.get(requestId);
    if (!live || isOver(live)) return false;
    if (live.isSent) this.#outlet.cancel(requestId);
    this.#end(live, new EspalierError('cancelled', 'This request was cancelled at the controller.'));
    return true;
  }

  failAll(error: EspalierError): void {
    for (const live of this.#live.values()) this.#end(live, error);
  }

  /**
   * The stages are gone: all requests wait, with what they have.
   * @param crashed a stage crashed while it computed: a request that sees that again and again may be the cause
   */
  suspendAll(why: string, crashed: boolean): void {
    const now = performance.now();
    this.#resuming.clear();
    for (const live of this.#live.values()) {
      if (isOver(live)) continue;
      // what the stages did not have cannot have been the cause
      live.isAdmitted &&= live.isSent;
      live.isSent = false;
      live.suspendedSince ??= now;
      if (crashed) this.#crashed(live, why);
      if (!isOver(live)) live.onNotice?.(why);
    }
  }

  /** What they were suspended for was a crash after all: neighbours of a stage that crashes may be faster to tell. */
  noteCrash(why: string): void {
    for (const live of this.#live.values()) if (!live.isSent && !isOver(live)) this.#crashed(live, why);
  }

  #crashed(live: LiveRequest, why: string): void {
    if (!live.isAdmitted) return;
    live.isAdmitted = false;
    live.crashes += 1;
    if (live.crashes < MAX_REQUEST_CRASHES) return;
    const times = `a stage crashed ${live.crashes} times in a row while it computed this request`;
    this.#end(live, new EspalierError('engine_failed', `${times}: ${why}`));
  }

  /**
   * There are stages again: all that wait go on after the tokens that they have, in the order in which they came.
   * @param onResumed called once, when each of them has its next token or is over
   */
  resumeAll(onResumed?: (replayMs: number) => void): void {
    this.#resumedAt = performance.now();
    this.#onResumed = onResumed;
    for (const live of [...this.#live.values()]) {
      if (live.suspendedSince === undefined || isOver(live)) continue;
      if (live.generatedIds.length > 0 || live.crashes > 0) this.#resuming.add(live.request.requestId);
      live.onNotice?.('the stages are back, the answer goes on');
      this.#send(live);
    }
    if (this.#resuming.size === 0) this.#tellResumed();
  }

  /** The stages made steps: requests that wait their turn are not stuck. */
  noteProgress(): void {
    const now = performance.now();
    for (const live of this.#live.values()) live.lastProgressAt = now;
  }

  /** Ends what has stood still for too long. @param reason why the cluster does not serve */
  checkDeadlines(reason: string | null): void {
    const now = performance.now();
    for (const live of this.#live.values()) {
      if (live.suspendedSince !== undefined) {
        if (now - live.suspendedSince < RECOVERY_TIMEOUT_MS) continue;
        const waited = `the cluster did not recover within ${RECOVERY_TIMEOUT_MS / 1000} s${reason === null ? '' : `: ${reason}`}`;
        this.#end(live, new EspalierError('stage_lost', waited));
      } else if (now - live.lastProgressAt >= REQUEST_PROGRESS_TIMEOUT_MS) {
        const stood = `no stage has made a step for ${REQUEST_PROGRESS_TIMEOUT_MS / 1000} s`;
        this.#end(live, new EspalierError('no_progress', stood));
      }
    }
  }

  get running(): number {
    return Math.min(this.#live.size, this.#outlet.maxSessions);
  }

  get waiting(): number {
    return this.#live.size - this.running;
  }

  tokensPerSecond(windowMs: number): number {
    return this.#rate.perSecond(performance.now(), windowMs);
  }

  /** @param guesses what the first stage tells of its requests' guesses */
  list(guesses: GuessStats['requests'] = []): RequestStatus[] {
    const guessesOf = new Map(guesses.map(({ requestId, ...own }) => [requestId, own]));
    const now = performance.now();
    return [...this.#live.values()].map((live, place): RequestStatus => {
      const decodingMs = live.firstTokenAt === undefined ? 0 : now - live.firstTokenAt;
      const tokens = live.generatedIds.length;
      const phase = this.#phase(live, place);
      return {
        id: live.request.requestId,
        client: live.client ?? null,
        ahead: phase === 'waiting' ? place - this.#outlet.maxSessions : null,
        phase,
        promptTokens: live.request.promptIds.length,
        tokens,
        tokensPerSecond: tokens > 1 ? ((tokens - 1) * 1000) / Math.max(decodingMs, 1) : null,
        ageMs: now - live.startedAt,
        guesses: guessesOf.get(live.request.requestId) ?? null,
      };
    });
  }

  #phase(live: LiveRequest, place: number): RequestStatus['phase'] {
    if (live.suspendedSince !== undefined) return 'recovering';
    if (live.firstTokenAt !== undefined) return 'decode';
    return place >= this.#outlet.maxSessions ? 'waiting' : 'prefill';
  }

  #send(live: LiveRequest): void {
    const { request, generatedIds } = live;
    live.isSent = true;
    live.isAdmitted = false;
    live.suspendedSince = undefined;
    live.lastProgressAt = performance.now();
    this.#outlet.generate(
      generatedIds.length > 0 ? { ...request, generatedIds: [...generatedIds] } : request,
    );
  }

  #end(live: LiveRequest, error: EspalierError): void {
    live.error ??= error;
    live.wake?.();
    this.#goesOn(live.request.requestId);
  }

  #goesOn(requestId: string): void {
    if (this.#resuming.delete(requestId) && this.#resuming.size === 0) this.#tellResumed();
  }

  #tellResumed(): void {
    this.#onResumed?.(performance.now() - this.#resumedAt);
    this.#onResumed = undefined;
  }
}

/** There is nothing more to come. */
function isOver({ isComplete, error }: LiveRequest): boolean {
  return error !== undefined || isComplete;
}

function wakeOf(live: LiveRequest): Promise<void> {
  return new Promise((resolve) => {
    live.wake = () => {
      live.wake = undefined;
      resolve();
    };
  });
}
