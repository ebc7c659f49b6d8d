// Encodes long prompts in a thread of its own: a prompt of R1's full context takes half a second, in which no token of
// any other request would pass and no heartbeat would be answered. It must not know templates or requests.
import { Worker } from 'node:worker_threads';
import { asEspalierError, EspalierError } from '../protocol/errors.ts';
import { INLINE_TOKENIZE_CHARS, TOKENIZE_TIMEOUT_MS } from '../protocol/limits.ts';
import type { TextTokenizer } from './tokenizer.ts';

/** What the thread answers, once for each text. */
export type EncodeAnswer = { ids: Uint32Array<ArrayBuffer> } | { error: string };

/** Starts its thread with the first long text, and again when one was lost. Texts are encoded one after the other. */
export class TokenizerThread {
  readonly #modelDir: string;
  readonly #tokenizer: TextTokenizer;
  #worker: Worker | undefined;
  #last: Promise<unknown> = Promise.resolve();
  #closed = false;
  /** ends the text that is being encoded */
  #answer: ((answer: Uint32Array | EspalierError) => void) | undefined;

  /** @param tokenizer the same folder's, for short texts */
  constructor(modelDir: string, tokenizer: TextTokenizer) {
    this.#modelDir = modelDir;
    this.#tokenizer = tokenizer;
  }

  /**
   * The ids of a text.
   * @throws EspalierError invalid_request after TOKENIZE_TIMEOUT_MS, internal when the thread is lost; the signal's
   * reason when it is aborted before the text's turn
   */
  async encode(text: string, signal?: AbortSignal): Promise<number[]> {
    if (text.length <= INLINE_TOKENIZE_CHARS) return this.#tokenizer.encode(text);
    const turn = this.#last.then(() => {
      signal?.throwIfAborted();
      return this.#encodeInThread(text);
    });
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  /** Ends the thread; texts that still wait are refused. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#worker?.terminate();
  }

  #encodeInThread(text: string): Promise<number[]> {
    if (this.#closed) throw new EspalierError('not_ready', 'The controller is stopping.');
    const worker = this.#worker ?? this.#start();
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        const seconds = TOKENIZE_TIMEOUT_MS / 1_000;
        this.#lose(
          new EspalierError(
            'invalid_request',
            `The prompt could not be tokenized in ${seconds} s: shorten it.`,
          ),
        );
      }, TOKENIZE_TIMEOUT_MS);
      this.#answer = (answer) => {
        clearTimeout(timer);
        this.#answer = undefined;
        // An idle thread must not keep the process alive.
        worker.unref();
        if (answer instanceof EspalierError) reject(answer);
        else resolve(Array.from(answer));
      };
      worker.ref();
      worker.postMessage(text);
    });
  }

  #start(): Worker {
    const worker = new Worker(new URL('./tokenizer-thread-entry.js', import.meta.url), {
      workerData: this.#modelDir,
    });
    worker.on('message', (answer: EncodeAnswer) => {
      this.#answer?.('error' in answer ? new EspalierError('internal', answer.error) : answer.ids);
    });
    worker.on('error', (error) => this.#lose(asEspalierError(error)));
    worker.on('exit', () => {
      if (this.#worker === worker) this.#lose(new EspalierError('not_ready', 'The tokenizer was stopped.'));
    });
    this.#worker = worker;
    return worker;
  }

  /** Gives up the thread; the next long text starts another. */
  #lose(reason: EspalierError): void {
    const worker = this.#worker;
    this.#worker = undefined;
    void worker?.terminate();
    this.#answer?.(reason);
  }
}
