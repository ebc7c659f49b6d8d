// Lines about strangers for a log: a few a minute, the rest is counted, so that nobody outside can fill a log or bury what
// it tells. It must not know what they say.
import { MAX_REFUSALS_LOGGED, REFUSALS_LOGGED_MS } from './limits.ts';

/** `About`: what is said beside the message. */
export class LimitedLog<About = never> {
  readonly #log: (message: string, about?: About) => void;
  #logged = 0;
  #hidden = 0;
  #timer: NodeJS.Timeout | undefined;

  /** @param log gets at most MAX_REFUSALS_LOGGED lines in REFUSALS_LOGGED_MS, and one that counts what was left out */
  constructor(log: (message: string, about?: About) => void) {
    this.#log = log;
  }

  /** Says something, unless too much was said just now. */
  note(message: string, about?: About): void {
    this.#timer ??= setTimeout(() => this.#summarize(), REFUSALS_LOGGED_MS).unref();
    if (this.#logged >= MAX_REFUSALS_LOGGED) {
      this.#hidden += 1;
      return;
    }
    this.#logged += 1;
    this.#log(message, about);
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  #summarize(): void {
    if (this.#hidden > 0) this.#log(`${this.#hidden} more were refused in the last minute`);
    this.#logged = 0;
    this.#hidden = 0;
    this.#timer = undefined;
  }
}
