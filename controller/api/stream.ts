// A stream of server-sent events on a raw response: headers at once, beats in silence, no faster than its reader.
// It must not know what the events say.
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';

export interface StreamTimes {
  /** the longest silence; a comment line breaks it */
  beatMs: number;
  /** the longest time in which a reader takes nothing */
  stalledMs: number;
}

/** Opens with the response's headers. Call `end` in every case: it stops the beats. */
export class SseStream {
  readonly #response: ServerResponse;
  readonly #signal: AbortSignal;
  readonly #stalledMs: number;
  readonly #beat: NodeJS.Timeout;

  /** @param signal aborted when the client's connection has closed */
  constructor(response: ServerResponse, signal: AbortSignal, { beatMs, stalledMs }: StreamTimes) {
    this.#response = response;
    this.#signal = signal;
    this.#stalledMs = stalledMs;
    response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache',
      // Proxies such as nginx would collect the stream otherwise.
      'x-accel-buffering': 'no',
    });
    response.flushHeaders();
    this.#beat = setInterval(() => {
      if (!response.writableNeedDrain) response.write(': beat\n\n');
    }, beatMs);
  }

  /**
   * Sends one event, and waits until the reader has room for the next. A reader that makes none for `stalledMs` is cut
   * off, which aborts the signal.
   * @param data a text without line breaks
   * @throws the signal's reason
   */
  async send(data: string): Promise<void> {
    this.#signal.throwIfAborted();
    this.#beat.refresh();
    if (this.#response.write(`data: ${data}\n\n`)) return;
    const stalled = setTimeout(() => this.#response.destroy(), this.#stalledMs);
    try {
      await once(this.#response, 'drain', { signal: this.#signal });
    } catch (error) {
      throw this.#signal.aborted ? this.#signal.reason : error;
    } finally {
      clearTimeout(stalled);
    }
  }

  /** Ends the stream, with a last event where one is given. */
  end(data?: string): void {
    clearInterval(this.#beat);
    this.#response.end(data === undefined ? undefined : `data: ${data}\n\n`);
  }
}
