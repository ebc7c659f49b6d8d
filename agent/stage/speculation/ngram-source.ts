// Guesses from the text itself: what followed when its last tokens were there before (prompt lookup decoding, Saxena
// 2023). Pure and free; good where an answer repeats its prompt, as with code, quotations and tables.
import type { GuessContext, GuessSource } from './source.ts';

/** Lengths of what is looked up, the longest first: a longer one says more, a shorter one is found more often. */
const LENGTHS = [4, 3, 2] as const;
/** Of a text only so many of its last tokens are looked at: three entries of some 60 bytes each are 6 MB a stream. */
const MAX_TOKENS = 32_768;

/** One text, and where each run of tokens was last followed by another one. */
class Seen {
  readonly #places = new Map<string, number>();
  #length = 0;

  /** Learns what was appended. */
  learn(tokens: readonly number[]): void {
    let at = Math.max(this.#length, tokens.length - MAX_TOKENS);
    for (; at < tokens.length; at++) {
      for (const length of LENGTHS) {
        if (at >= length) this.#places.set(keyOf(tokens, at, length), at);
      }
    }
    this.#length = tokens.length;
  }

  /** Where the token stands that followed the same end before; undefined where that was never seen. */
  find(end: readonly number[]): number | undefined {
    for (const length of LENGTHS) {
      const place = end.length < length ? undefined : this.#places.get(keyOf(end, end.length, length));
      if (place !== undefined) return place;
    }
    return undefined;
  }
}

/** The `length` tokens before `end`. */
function keyOf(tokens: readonly number[], end: number, length: number): string {
  let key = '';
  for (let at = end - length; at < end; at++) key += `${tokens[at]},`;
  return key;
}

export class NgramSource implements GuessSource {
  readonly name = 'ngram';
  readonly isFree = true;
  readonly #seen = new Map<number, Seen>();

  async guess(context: GuessContext, count: number): Promise<readonly number[]> {
    return this.lookUp(context, count);
  }

  /** The same at once. Only what was drawn is learnt: a wrong guess would be found again and again. */
  lookUp({ session, tokens, guessed }: GuessContext, count: number): number[] {
    const seen = this.#seen.get(session) ?? new Seen();
    this.#seen.set(session, seen);
    seen.learn(tokens);
    const end = [...tokens.slice(-LENGTHS[0]), ...guessed].slice(-LENGTHS[0]);
    const guesses: number[] = [];
    while (guesses.length < count) {
      const place = seen.find(end);
      if (place === undefined) break;
      const next = tokens[place] as number;
      guesses.push(next);
      end.push(next);
      end.shift();
    }
    return guesses;
  }

  forget(session: number): void {
    this.#seen.delete(session);
  }
}
