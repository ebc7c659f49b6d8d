// Refuses a grammar before it reaches the stages: compiles it with the model's vocabulary in a thread of its own, which
// may be killed by it without harm. It must not know schemas, tools or requests.
import { EspalierError } from '../protocol/errors.ts';
import { GRAMMAR_TIMEOUT_MS, MAX_GRAMMAR_CHARS } from '../protocol/limits.ts';
import { JobThread } from './job-thread.ts';

/** Grammars that are known to be sound: clients send the same few again and again. */
const MAX_KNOWN = 64;

export class GrammarThread {
  readonly #thread: JobThread<string, true>;
  readonly #known = new Set<string>();

  constructor(modelDir: string) {
    const seconds = GRAMMAR_TIMEOUT_MS / 1_000;
    this.#thread = new JobThread({
      entry: new URL('./grammar-thread-entry.js', import.meta.url),
      workerData: modelDir,
      name: 'check of grammars',
      timeoutMs: GRAMMAR_TIMEOUT_MS,
      tooLong: () =>
        new EspalierError(
          'invalid_request',
          `The schema could not be compiled in ${seconds} s: make it smaller.`,
        ),
      refused: (message) => new EspalierError('invalid_request', message),
      endsAfter: 'errors',
    });
  }

  /**
   * @param structuralTag XGrammar's description of a grammar, JSON text
   * @throws EspalierError invalid_request that says what is wrong with it; the signal's reason
   */
  async check(structuralTag: string, signal?: AbortSignal): Promise<void> {
    if (structuralTag.length > MAX_GRAMMAR_CHARS) {
      const what = `has ${structuralTag.length} characters, and at most ${MAX_GRAMMAR_CHARS} can be enforced`;
      throw new EspalierError('invalid_request', `The schema ${what}: make it smaller.`);
    }
    if (this.#known.has(structuralTag)) return;
    await this.#thread.run(structuralTag, signal);
    const [oldest] = this.#known;
    if (this.#known.size >= MAX_KNOWN && oldest !== undefined) this.#known.delete(oldest);
    this.#known.add(structuralTag);
  }

  close(): Promise<void> {
    return this.#thread.close();
  }
}
