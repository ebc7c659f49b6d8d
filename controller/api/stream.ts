// A streamed answer on a raw response: headers at once, beats in silence, no faster than its reader.
// It must not know what is written.
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';

export interface StreamTimes {
  /** the longest silence; a beat breaks it */
  beatMs: number;
  /** the longest time in which a reader takes nothing */
  stalledMs: number;
}

export interface StreamOptions extends StreamTimes {
  contentType: string;
  /** aborted when the client's connection has closed */
  signal: AbortSignal;
  /** what a beat says; nothing where it is empty */
  beat: () => string;
}

/** Opens with the response's headers. Call `end` in every case: it stops the beats. */
export class AnswerStream {
  readonly #response: ServerResponse;
  readonly #options: StreamOptions;
  readonly #beat: NodeJS.Timeout;

  constructor(response: ServerResponse, options: StreamOptions) {
    this.#response = response;
    this.#options = options;
    response.writeHead(200, {
      'content-type': options.contentType,
      'cache-control': 'no-cache',
      // Proxies such as nginx would collect the stream otherwise.
      'x-accel-buffering': 'no',
    });
    response.flushHeaders();
    this.#beat = setInterval(() => {
      const text = response.writableNeedDrain ? '' : options.beat();
      if (text !== '') response.write(text);
    }, options.beatMs);
  }

  /**
   * Writes, and waits until the reader has room for more. A reader that makes none for `stalledMs` is cut off, which
   * aborts the signal.
   * @throws the signal's reason
   */
  async send(text: string): Promise<void> {
    const { signal, stalledMs } = this.#options;
    signal.throwIfAborted();
    if (text === '') return;
    this.#beat.refresh();
    if (this.#response.write(text)) return;
    const stalled = setTimeout(() => this.#response.destroy(), stalledMs);
    try {
      await once(this.#response, 'drain', { signal });
    } catch (error) {
      throw signal.aborted ? signal.reason : error;
    } finally {
      clearTimeout(stalled);
    }
  }

  /** Writes something that may be lost: nobody waits for a reader over it. */
  note(text: string): void {
    if (this.#response.writableNeedDrain || this.#response.writableEnded) return;
    this.#beat.refresh();
    this.#response.write(text);
  }

  /** Ends the stream with its last words. */
  end(text: string): void {
    clearInterval(this.#beat);
    this.#response.end(text);
  }
}
