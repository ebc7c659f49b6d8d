// Token ids to text as they come: never half a character, never a special token, at a cost that does not grow with
// the length of the text. It must not know what the text means.

/** The text of some ids, half characters as U+FFFD. */
export type DecodeIds = (ids: readonly number[]) => string;

/**
 * Tokens that may wait for the end of a character. A character has at most four bytes, but tokens that each end one
 * character and begin the next can follow each other; only noise gets this far, and noise is let out as it is.
 */
const MAX_HELD_TOKENS = 64;

const HALF_CHARACTER = '\uFFFD';

/**
 * A token's text depends on its neighbours, so each new text is what a window of ids gives over what the window gave
 * before: `#ids` holds the tokens of the last piece, as context, and then those that were not shown yet.
 */
export class Detokenizer {
  readonly #decode: DecodeIds;
  #ids: number[] = [];
  /** how many of `#ids` are context */
  #shown = 0;
  #shownText = '';

  constructor(decode: DecodeIds) {
    this.#decode = decode;
  }

  /** The text that one more token completes; often empty. */
  push(id: number): string {
    this.#ids.push(id);
    const text = this.#decode(this.#ids);
    const half = text.endsWith(HALF_CHARACTER) && this.#ids.length - this.#shown < MAX_HELD_TOKENS;
    return half ? '' : this.#take(text);
  }

  /** What is still held back at the end of the stream, half characters included. */
  flush(): string {
    return this.#shown === this.#ids.length ? '' : this.#take(this.#decode(this.#ids));
  }

  #take(text: string): string {
    const piece = text.slice(this.#shownText.length);
    // A token without text (a special one) is no context: the tokens before it stay.
    if (piece === '') {
      this.#ids.length = this.#shown;
      return '';
    }
    this.#ids.splice(0, this.#shown);
    this.#shown = this.#ids.length;
    this.#shownText = this.#decode(this.#ids);
    return piece;
  }
}
