// Watches every answer on its way: its place in the line, and what the metrics count of it. It must not know dialects,
// and changes nothing.
import type { ChatEvent } from '../chat-request.ts';
import { Line, type Place } from './line.ts';
import type { Metrics, Outcome } from './metrics.ts';

export interface WatchedRequest {
  dialect: string;
  isBackground: boolean;
  promptTokens: number;
}

export interface Watched {
  events: AsyncGenerator<ChatEvent, void>;
  place: Place;
}

export class Traffic {
  readonly #line: Line;
  readonly #metrics: Metrics;

  /** @param sessions that the stages hold at once */
  constructor(sessions: number, metrics: Metrics) {
    this.#line = new Line(sessions);
    this.#metrics = metrics;
  }

  /** The same events. The request is in the line from now until the events end. */
  watch(events: AsyncGenerator<ChatEvent, void>, request: WatchedRequest): Watched {
    const beganMs = performance.now();
    const place = this.#line.join(request.isBackground, beganMs);
    return { place, events: this.#watch(events, place, beganMs, request) };
  }

  async *#watch(
    events: AsyncGenerator<ChatEvent, void>,
    place: Place,
    beganMs: number,
    { dialect, isBackground, promptTokens }: WatchedRequest,
  ): AsyncGenerator<ChatEvent, void> {
    const labels = { dialect, lane: isBackground ? 'background' : 'conversation' };
    const metrics = this.#metrics;
    let firstMs: number | undefined;
    let outcome: Outcome = 'cancelled';
    metrics.promptTokens.inc(labels, promptTokens);
    metrics.promptLength.observe(labels, promptTokens);
    try {
      for await (const event of events) {
        if (firstMs === undefined) {
          firstMs = performance.now();
          metrics.firstToken.observe(labels, (firstMs - beganMs) / 1_000);
        }
        if (event.kind === 'finish') {
          outcome = event.reason;
          const { completionTokens, cachedTokens } = event.usage;
          metrics.generatedTokens.inc(labels, completionTokens);
          metrics.cachedTokens.inc(labels, cachedTokens);
          const decodeSeconds = (performance.now() - firstMs) / 1_000;
          if (completionTokens > 1) metrics.perToken.observe(labels, decodeSeconds / (completionTokens - 1));
        }
        yield event;
      }
    } catch (error) {
      // a client that left is no failure; who left is told by the reason's name
      if ((error as Error)?.name !== 'ClientGone') outcome = 'failed';
      throw error;
    } finally {
      const nowMs = performance.now();
      place.leave(nowMs);
      if (place.admittedAtMs !== undefined)
        metrics.queueTime.observe(labels, (place.admittedAtMs - beganMs) / 1_000);
      metrics.duration.observe(labels, (nowMs - beganMs) / 1_000);
      metrics.requests.inc({ ...labels, outcome });
    }
  }
}
