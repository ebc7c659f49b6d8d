// The door to XGrammar: which tokens an answer that must fit a grammar may go on with. Both sides use it: the controller
// to refuse a grammar before it is sent, the last stage to hold an answer to it. XGrammar is C++ as WebAssembly: what it
// cannot take aborts it, and an aborted one is not used again. It must not know requests or dialects.
import { createRequire, registerHooks } from 'node:module';
import type * as XGrammar from '@mlc-ai/web-xgrammar';
import type { Vocabulary } from './vocabulary.ts';

/** Follows one answer through its grammar. */
export interface GrammarMatcher {
  /** One bit a token, 32 a number, lowest first: those with which the answer may go on. */
  allowed(): Promise<Int32Array>;
  /** Takes the next token. @returns false where the grammar does not allow it */
  accept(token: number): boolean;
  [Symbol.dispose](): void;
}

/** What XGrammar could not take. The compiler is of no use after it. */
export class GrammarError extends Error {
  constructor(cause: unknown) {
    super('the grammar cannot be compiled', { cause });
    this.name = 'GrammarError';
  }
}

export class GrammarCompiler {
  readonly #compiler: XGrammar.GrammarCompiler;
  readonly #library: typeof XGrammar;

  private constructor(library: typeof XGrammar, compiler: XGrammar.GrammarCompiler) {
    this.#library = library;
    this.#compiler = compiler;
  }

  /**
   * Prepares a vocabulary: 150 ms and 100 MB for R1's 129,280 tokens.
   * @param size how many logits the model has
   * @throws GrammarError
   */
  static async of({ tokens, form, hidden }: Vocabulary, size: number, stopIds: readonly number[]) {
    const library = loadLibrary();
    // a token without text is one that no grammar allows
    const texts = Array.from({ length: size }, (_, id) => (hidden.has(id) ? '' : (tokens[id] ?? '')));
    try {
      const info = await library.TokenizerInfo.createTokenizerInfo(texts, form, false, size, [...stopIds]);
      const compiler = await library.GrammarCompiler.createGrammarCompiler(info, false);
      info.dispose();
      return new GrammarCompiler(library, compiler);
    } catch (error) {
      throw new GrammarError(error);
    }
  }

  /**
   * @param structuralTag XGrammar's description of a grammar, JSON text
   * @param stopIds which end the answer where the grammar lets it end
   * @throws GrammarError
   */
  async matcher(structuralTag: string, stopIds: readonly number[]): Promise<GrammarMatcher> {
    try {
      const tag = await this.#onOneLine(JSON.parse(structuralTag));
      const grammar = await this.#compiler.compileStructuralTag(JSON.stringify(tag));
      const matcher = await this.#library.GrammarMatcher.createGrammarMatcher(grammar, [...stopIds]);
      grammar.dispose();
      return {
        allowed: () => matcher.getNextTokenBitmask(),
        accept: (token) => matcher.acceptToken(token),
        [Symbol.dispose]: () => matcher.dispose(),
      };
    } catch (error) {
      throw new GrammarError(error);
    }
  }

  /**
   * A structural tag whose JSON stands on one line. XGrammar's own rules for JSON allow any number of spaces between
   * its parts, and models get lost in them; its option to count them (0.1.27) leaves some out.
   */
  async #onOneLine(part: unknown): Promise<unknown> {
    if (Array.isArray(part)) return Promise.all(part.map((inner) => this.#onOneLine(inner)));
    if (typeof part !== 'object' || part === null) return part;
    const { type, json_schema: schema } = part as { type?: unknown; json_schema?: unknown };
    if (type === 'json_schema') {
      const grammar = await this.#library.Grammar.fromJSONSchema(JSON.stringify(schema), false, NO_INDENT);
      const text = grammar.toString();
      grammar.dispose();
      return { type: 'grammar', grammar: text };
    }
    const inner = Object.entries(part).map(async ([name, value]) => [name, await this.#onOneLine(value)]);
    return Object.fromEntries(await Promise.all(inner));
  }
}

/** XGrammar's way to say that JSON has no line breaks. */
const NO_INDENT = -1;
const FILE = '/@mlc-ai/web-xgrammar/lib/index.js';

/**
 * A fresh XGrammar. Its package says that it is an ES module, but its file is a script for CommonJS (0.1.27): Node.js
 * must be told. It is not taken from Node's cache either, because an aborted one would be.
 */
function loadLibrary(): typeof XGrammar {
  const hooks = registerHooks({
    load: (url, context, next) =>
      next(url, new URL(url).pathname.endsWith(FILE) ? { ...context, format: 'commonjs' } : context),
  });
  const require = createRequire(import.meta.url);
  try {
    delete require.cache[require.resolve('@mlc-ai/web-xgrammar')];
    return require('@mlc-ai/web-xgrammar') as typeof XGrammar;
  } finally {
    hooks.deregister();
  }
}
