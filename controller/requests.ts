// The live requests: hands each to the head stage, brings its tokens back in order, and ends it by a deadline when
// nothing moves any more. It knows neither nodes nor plans: where the head is, the outlet knows.
import { randomUUID } from 'node:crypto';
import { EspalierError, isErrorCode } from '../protocol/errors.ts';
import type { GenerateRequest, RequestFailure, TokenEvent } from '../protocol/generate.ts';
import { MAX_REQUESTS, REQUEST_PROGRESS_TIMEOUT_MS } from '../protocol/limits.ts';
import type { RequestStatus } from '../protocol/status.ts';
import { Rate } from './rate.ts';
import type { TokenSource } from './token-source.ts';

export interface HeadOutlet {
  /** @throws EspalierError not_ready with the reason */
  generate(request: GenerateRequest): void;
  cancel(requestId: string): void;
  /** sessions that the stages hold at once; more wait */
  readonly maxSessions: number;
}

interface LiveRequest {
  request: GenerateRequest;
  events: TokenEvent[];
  error: EspalierError | undefined;
  received: number;
  wake: (() => void) | undefined;
  startedAt: number;
  firstTokenAt: number | undefined;
  lastProgressAt: number;
}

export class Requests implements TokenSource {
  readonly #outlet: HeadOutlet;
  readonly #onCount: (running: number) => void;
  readonly #live = new Map<string, LiveRequest>();
  readonly #rate = new Rate(performance.now());
  completed = 0;
  failedCount = 0;
  tokensTotal = 0;
  timeToFirstTokenMs: number | null = null;

  constructor(outlet: HeadOutlet, onCount: (running: number) => void) {
    this.#outlet = outlet;
    this.#onCount = onCount;
  }

  async *generate(
    wanted: Omit<GenerateRequest, 'requestId'>,
    signal: AbortSignal,
  ): AsyncGenerator<TokenEvent> {
    if (this.#live.size >= MAX_REQUESTS) {
      throw new EspalierError('queue_full', `${this.#live.size} requests are running or waiting already`);
    }
    const request: GenerateRequest = { ...wanted, requestId: randomUUID() };
    const now = performance.now();
    const live: LiveRequest = {
      request,
      events: [],
      error: undefined,
      received: 0,
      wake: undefined,
      startedAt: now,
      firstTokenAt: undefined,
      lastProgressAt: now,
    };
    const onAbort = () => live.wake?.();
    this.#outlet.generate(request);
    signal.addEventListener('abort', onAbort);
    this.#live.set(request.requestId, live);
    this.#onCount(this.#live.size);
    let isFinished = false;
    try {
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
      if (!isFinished) this.#outlet.cancel(request.requestId);
      this.#live.delete(request.requestId);
      this.#onCount(this.#live.size);
    }
  }

  /** Tokens from the last stage. A token that was had already is dropped; a gap ends the request. */
  receive(tokens: readonly TokenEvent[]): void {
    const now = performance.now();
    for (const event of tokens) {
      const live = this.#live.get(event.requestId);
      if (!live || event.index < live.received) continue;
      if (event.index > live.received) {
        const missing = `token ${live.received} of the answer did not arrive, ${event.index} did`;
        this.#end(live, new EspalierError('internal', missing));
        continue;
      }
      live.received += 1;
      if (event.token !== null) {
        this.tokensTotal += 1;
        this.#rate.add(now, 1);
      }
      if (live.firstTokenAt === undefined) {
        live.firstTokenAt = now;
        this.timeToFirstTokenMs = now - live.startedAt;
      }
      live.lastProgressAt = now;
      live.events.push(event);
      live.wake?.();
    }
  }

  fail({ requestId, code, message }: RequestFailure): void {
    const live = this.#live.get(requestId);
    if (live) this.#end(live, new EspalierError(isErrorCode(code) ? code : 'internal', message));
  }

  failAll(error: EspalierError): void {
    for (const live of this.#live.values()) this.#end(live, error);
  }

  /** The stages made steps: requests that wait their turn are not stuck. */
  noteProgress(): void {
    const now = performance.now();
    for (const live of this.#live.values()) live.lastProgressAt = now;
  }

  /** Ends what has stood still for too long. */
  checkDeadlines(): void {
    const now = performance.now();
    for (const live of this.#live.values()) {
      if (now - live.lastProgressAt < REQUEST_PROGRESS_TIMEOUT_MS) continue;
      this.#end(
        live,
        new EspalierError(
          'no_progress',
          `no stage has made a step for ${REQUEST_PROGRESS_TIMEOUT_MS / 1000} s`,
        ),
      );
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

  list(): RequestStatus[] {
    const now = performance.now();
    return [...this.#live.values()].map((live, place): RequestStatus => {
      const decodingMs = live.firstTokenAt === undefined ? 0 : now - live.firstTokenAt;
      return {
        id: live.request.requestId,
        phase:
          live.firstTokenAt !== undefined
            ? 'decode'
            : place >= this.#outlet.maxSessions
              ? 'waiting'
              : 'prefill',
        promptTokens: live.request.promptIds.length,
        tokens: live.received,
        tokensPerSecond: live.received > 1 ? ((live.received - 1) * 1000) / Math.max(decodingMs, 1) : null,
        ageMs: now - live.startedAt,
      };
    });
  }

  #end(live: LiveRequest, error: EspalierError): void {
    live.error ??= error;
    live.wake?.();
  }
}

function wakeOf(live: LiveRequest): Promise<void> {
  return new Promise((resolve) => {
    live.wake = () => {
      live.wake = undefined;
      resolve();
    };
  });
}
