// Holds one answer to its grammar: which tokens it may go on with. It must not know logits or other answers.
import type { Grammar } from '../../../protocol/generate.ts';
import { readVocabulary, tokenBytes, type Vocabulary } from '../../../protocol/vocabulary.ts';
import { GrammarCompiler, type GrammarMatcher } from '../../../protocol/xgrammar.ts';

/** Makes guides; the vocabulary is read with the first one. */
export class GrammarGuides {
  readonly #modelDir: string;
  readonly #vocabSize: number;
  #vocabulary: Promise<Vocabulary> | undefined;
  #compiler: Promise<GrammarCompiler> | undefined;

  constructor(modelDir: string, vocabSize: number) {
    this.#modelDir = modelDir;
    this.#vocabSize = vocabSize;
  }

  /** @throws EspalierError of tokenizer.json, GrammarError where the grammar is none */
  async open({ structuralTag, after }: Grammar, stopIds: readonly number[]): Promise<GrammarGuide> {
    this.#vocabulary ??= readVocabulary(this.#modelDir);
    const vocabulary = await this.#vocabulary;
    this.#compiler ??= GrammarCompiler.of(vocabulary, this.#vocabSize, stopIds);
    try {
      const matcher = await (await this.#compiler).matcher(structuralTag, stopIds);
      return new GrammarGuide(matcher, vocabulary, after);
    } catch (error) {
      // it was aborted: the next grammar gets a fresh one
      this.#compiler = undefined;
      throw error;
    }
  }
}

export class GrammarGuide {
  readonly #matcher: GrammarMatcher;
  readonly #vocabulary: Vocabulary;
  /** the bytes after which the grammar begins, a character a byte; undefined once it has begun */
  #after: string | undefined;
  /** the end of the answer so far */
  #seen = '';

  constructor(matcher: GrammarMatcher, vocabulary: Vocabulary, after: string | undefined) {
    this.#matcher = matcher;
    this.#vocabulary = vocabulary;
    this.#after = after === undefined ? undefined : Buffer.from(after).toString('latin1');
  }

  /**
   * One bit a token, 32 a number, lowest first; undefined where every token is allowed.
   * @throws Error where none is
   */
  async allowed(): Promise<Int32Array | undefined> {
    if (this.#after !== undefined) return undefined;
    const allowed = await this.#matcher.allowed();
    if (!allowed.some((bits) => bits !== 0)) throw new Error('the grammar allows no token here');
    return allowed;
  }

  /** Takes note of a token of the answer. */
  note(token: number): void {
    if (this.#after === undefined) {
      this.#matcher.accept(token);
      return;
    }
    this.#seen += Buffer.from(tokenBytes(this.#vocabulary, token)).toString('latin1');
    if (this.#seen.includes(this.#after)) this.#after = undefined;
    else this.#seen = this.#seen.slice(-this.#after.length);
  }

  [Symbol.dispose](): void {
    this.#matcher[Symbol.dispose]();
  }
}
