// The guessed tokens of one session that are on their way behind its newest drawn one. Pure: it compares each token that is
// drawn with the guess for its place, and must not know where guesses come from.

/** What a drawn token says of the guess for its place: there was none, it was right, or it and all behind it were wrong. */
export type Verdict = 'none' | 'right' | 'wrong';

export class Guesses {
  #ids: number[] = [];

  /** in the order of their places: the first one is for the place of the next token */
  get ids(): readonly number[] {
    return this.#ids;
  }

  /** A row with this token was sent. */
  add(id: number): void {
    this.#ids.push(id);
  }

  /** The token of the next place was drawn. Of a wrong guess nothing stays, and nothing of those behind it. */
  judge(token: number): Verdict {
    const [guess] = this.#ids;
    if (guess === undefined) return 'none';
    if (guess === token) {
      this.#ids.shift();
      return 'right';
    }
    this.clear();
    return 'wrong';
  }

  clear(): void {
    this.#ids = [];
  }
}
