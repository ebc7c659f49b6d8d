// Guesses of another source, some of them made wrong by chance: what a draft that agrees less often would give.
import type { GuessSource } from '../../../agent/stage/speculation/source.ts';

/** Ids that every model of the benches has. */
const ID_COUNT = 1024;

export class SpoiltSource implements GuessSource {
  readonly name;
  readonly isFree;
  readonly #source: GuessSource;
  readonly #chance: number;

  /** @param chance of each guess to be replaced by another token, 0 to 1; the same ones in every run */
  constructor(source: GuessSource, chance: number) {
    this.#source = source;
    this.#chance = chance;
    this.name = source.name;
    this.isFree = source.isFree;
  }

  async guess(...asked: Parameters<GuessSource['guess']>): ReturnType<GuessSource['guess']> {
    const ids = await this.#source.guess(...asked);
    if (typeof ids === 'string') return ids;
    const [context] = asked;
    const begin = context.tokens.length + context.guessed.length;
    return ids.map((id, i) => (chanceAt(begin + i) < this.#chance ? (id + 1) % ID_COUNT : id));
  }

  listen(news: (isNew: boolean) => void): void {
    this.#source.listen?.(news);
  }

  forget(session: number): void {
    this.#source.forget(session);
  }
}

/** A number in [0, 1) for each place of a text (mulberry32's mixing, in the public domain by Tommy Ettinger). */
function chanceAt(place: number): number {
  const state = (Math.imul(place + 1, 0x6d2b79f5) ^ 0x9e3779b9) >>> 0;
  let mixed = Math.imul(state ^ (state >>> 15), state | 1);
  mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
}
