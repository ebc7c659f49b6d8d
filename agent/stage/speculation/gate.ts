// Whether guessing pays for one stream, by what it measures: the time of a token with guesses against without. Pure: times
// come from the caller. Whatever makes guesses dear (a slow draft, stages that share a machine) shows in nothing else.

/** Tokens of a first try, and the shortest look at a stream without guesses. */
const TRY_TOKENS = 16;
const LOOK_TOKENS = 8;
/** After a try that paid, or did not, the next look comes after so many tokens, each time twice as many. */
const FIRST_TERM_TOKENS = 96;
const MAX_TERM_TOKENS = 1_536;
/** So many wrong guesses in a row end a try: there is nothing to measure. */
const MAX_WRONG = 6;
/** Tokens must come this much faster with guesses: below it the difference may be chance. */
const LEAST_GAIN = 1.03;

/** What is known of streams without guesses; streams of one stage share it, so that not each has to be looked at. */
export interface Unguessed {
  /** time of a token, at how many streams, and when it was measured */
  known: { tokenMs: number; streams: number; atMs: number } | undefined;
  /** of a stream for which guessing did not pay, what is left of its term, and how long the next one is */
  shut?: { leftTokens: number; termTokens: number } | undefined;
}

/** Older ones are measured again: contexts grow, machines get warm. */
const KNOWN_FOR_MS = 60_000;

type Phase = 'try' | 'look' | 'on' | 'off';

export class Gate {
  readonly #unguessed: Unguessed;
  #phase: Phase = 'try';
  /** tokens until the phase is judged */
  #left = TRY_TOKENS;
  #termTokens = FIRST_TERM_TOKENS;
  #window: { fromMs: number; tokens: number; streams: number } | undefined;
  #triedMs: number | undefined;
  #wrongInRow = 0;

  constructor(unguessed: Unguessed) {
    this.#unguessed = unguessed;
    if (!unguessed.shut) return;
    // what did not pay for the last stream is not tried by each new one
    this.#phase = 'off';
    this.#left = unguessed.shut.leftTokens;
    this.#termTokens = unguessed.shut.termTokens;
  }

  /** Whether tokens should be guessed now. */
  get isOpen(): boolean {
    return this.#phase === 'try' || this.#phase === 'on';
  }

  /** How many times as fast tokens come with guesses, as last measured; null where that is not known. */
  get gain(): number | null {
    const { known } = this.#unguessed;
    return known && this.#triedMs ? known.tokenMs / this.#triedMs : null;
  }

  /** A token was drawn. @param streams that run now, this one among them */
  token(verdict: 'none' | 'right' | 'wrong', streams: number, nowMs: number): void {
    this.#wrongInRow =
      verdict === 'wrong' ? this.#wrongInRow + 1 : verdict === 'right' ? 0 : this.#wrongInRow;
    if (this.isOpen && this.#wrongInRow >= MAX_WRONG) {
      this.#stop(nowMs, streams);
      return;
    }
    // another crowd, or guesses of before that still come true: what was measured so far is of no use
    const isOther = this.#window?.streams !== streams || (!this.isOpen && verdict !== 'none');
    if (!this.#window || isOther) {
      this.#window = { fromMs: nowMs, tokens: 0, streams };
      return;
    }
    this.#window.tokens += 1;
    this.#left -= 1;
    if (this.#phase === 'off')
      this.#unguessed.shut = { leftTokens: Math.max(1, this.#left), termTokens: this.#termTokens };
    if (this.#left > 0) return;
    const tokenMs = (nowMs - this.#window.fromMs) / this.#window.tokens;
    this.#judge(tokenMs, streams, nowMs);
  }

  #judge(tokenMs: number, streams: number, nowMs: number): void {
    switch (this.#phase) {
      case 'try':
        this.#triedMs = tokenMs;
        if (this.#unguessedMs(streams, nowMs) === undefined) this.#enter('look', LOOK_TOKENS, nowMs, streams);
        else this.#decide(nowMs, streams);
        break;
      case 'look':
        this.#unguessed.known = { tokenMs, streams, atMs: nowMs };
        this.#decide(nowMs, streams);
        break;
      case 'on':
        this.#triedMs = tokenMs;
        this.#enter('try', TRY_TOKENS, nowMs, streams);
        break;
      case 'off':
        this.#unguessed.known = { tokenMs, streams, atMs: nowMs };
        this.#enter('try', TRY_TOKENS, nowMs, streams);
        break;
    }
  }

  #decide(nowMs: number, streams: number): void {
    const without = this.#unguessedMs(streams, nowMs);
    const pays = without !== undefined && this.#triedMs !== undefined && this.#triedMs * LEAST_GAIN < without;
    if (!pays) {
      this.#stop(nowMs, streams);
      return;
    }
    this.#unguessed.shut = undefined;
    this.#enter('on', this.#nextTerm(), nowMs, streams);
  }

  #stop(nowMs: number, streams: number): void {
    const leftTokens = this.#nextTerm();
    this.#unguessed.shut = { leftTokens, termTokens: this.#termTokens };
    this.#enter('off', leftTokens, nowMs, streams);
  }

  #nextTerm(): number {
    const tokens = this.#termTokens;
    this.#termTokens = Math.min(2 * tokens, MAX_TERM_TOKENS);
    return tokens;
  }

  #unguessedMs(streams: number, nowMs: number): number | undefined {
    const { known } = this.#unguessed;
    return known?.streams === streams && nowMs - known.atMs < KNOWN_FOR_MS ? known.tokenMs : undefined;
  }

  #enter(phase: Phase, tokens: number, nowMs: number, streams: number): void {
    this.#phase = phase;
    this.#left = tokens;
    this.#wrongInRow = 0;
    this.#window = { fromMs: nowMs, tokens: 0, streams };
  }
}
