// Encodes long prompts in a thread of its own: a prompt of R1's full context takes half a second, in which no token of
// any other request would pass and no heartbeat would be answered. It must not know templates or requests.
import { EspalierError } from '../protocol/errors.ts';
import { INLINE_TOKENIZE_CHARS, TOKENIZE_TIMEOUT_MS } from '../protocol/limits.ts';
import { JobThread } from './job-thread.ts';
import type { TextTokenizer } from './tokenizer.ts';

/** Starts its thread with the first long text, and again when one was lost. Texts are encoded one after the other. */
export class TokenizerThread {
  readonly #tokenizer: TextTokenizer;
  readonly #thread: JobThread<string, Uint32Array>;

  /** @param tokenizer the same folder's, for short texts */
  constructor(modelDir: string, tokenizer: TextTokenizer) {
    this.#tokenizer = tokenizer;
    const seconds = TOKENIZE_TIMEOUT_MS / 1_000;
    this.#thread = new JobThread({
      entry: new URL('./tokenizer-thread-entry.js', import.meta.url),
      workerData: modelDir,
      name: 'tokenizer',
      timeoutMs: TOKENIZE_TIMEOUT_MS,
      tooLong: () =>
        new EspalierError(
          'invalid_request',
          `The prompt could not be tokenized in ${seconds} s: shorten it.`,
        ),
      refused: (message) => new EspalierError('internal', message),
    });
  }

  /**
   * The ids of a text.
   * @throws EspalierError invalid_request after TOKENIZE_TIMEOUT_MS, internal when the thread is lost; the signal's
   * reason when it is aborted before the text's turn
   */
  async encode(text: string, signal?: AbortSignal): Promise<number[]> {
    if (text.length <= INLINE_TOKENIZE_CHARS) return this.#tokenizer.encode(text);
    return Array.from(await this.#thread.run(text, signal));
  }

  /** Ends the thread; texts that still wait are refused. */
  close(): Promise<void> {
    return this.#thread.close();
  }
}
