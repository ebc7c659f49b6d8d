// How often each source's guesses for one stream were right, the newest ones first: what decides which source is asked.
// Pure.
import type { GuessSourceName } from '../../../protocol/speculation.ts';

/** Before a source has guessed anything for a stream it counts as so many guesses with this share of right ones. */
const PRIOR: Record<GuessSourceName, number> = { draft: 0.8, ngram: 0.5 };
const PRIOR_WEIGHT = 4;
/** Each guess counts this much less with every later one: about the last 32 decide. */
const FADING = 1 - 1 / 32;

interface Count {
  right: number;
  all: number;
}

export class Yields {
  readonly #counts = new Map<GuessSourceName, Count>();

  note(source: GuessSourceName, isRight: boolean): void {
    const { right, all } = this.#count(source);
    this.#counts.set(source, { right: right * FADING + (isRight ? 1 : 0), all: all * FADING + 1 });
  }

  /** The share of right ones, 0 to 1. */
  of(source: GuessSourceName): number {
    const { right, all } = this.#count(source);
    return right / all;
  }

  /** The best one first. */
  ranked<S extends { readonly name: GuessSourceName }>(sources: readonly S[]): S[] {
    return [...sources].sort((a, b) => this.of(b.name) - this.of(a.name));
  }

  #count(source: GuessSourceName): Count {
    return this.#counts.get(source) ?? { right: PRIOR[source] * PRIOR_WEIGHT, all: PRIOR_WEIGHT };
  }
}
