// Sources of guesses for tests: the demo model's draft, and guesses that are made wrong by chance.
import { Engine } from '../../agent/engine/engine.ts';
import { DraftSource } from '../../agent/stage/speculation/draft-source.ts';
import type { GuessContext, GuessSource } from '../../agent/stage/speculation/source.ts';
import { demoModelDir } from './paths.ts';
import { randomNumbers } from './sampling.ts';
import { settle } from './stages.ts';

export const demoDraftDir = `${demoModelDir}/draft`;

export async function demoDraft(): Promise<DraftSource> {
  const limits = { contextTokens: 4096, maxSessions: 64, kvTokens: 1 << 16 };
  const range = { start: 0, end: 2 };
  return new DraftSource(await Engine.load({ modelDir: demoDraftDir, range, ...limits, settle }), settle);
}

/** The guesses of another source, each replaced by a wrong one with this chance, the same in every run. */
export class SpoiltSource implements GuessSource {
  readonly name;
  readonly isFree;
  readonly #source: GuessSource;
  readonly #chance: number;

  constructor(source: GuessSource, chance: number) {
    this.#source = source;
    this.#chance = chance;
    this.name = source.name;
    this.isFree = source.isFree;
  }

  async guess(context: GuessContext, count: number): Promise<readonly number[] | 'working'> {
    const ids = await this.#source.guess(context, count);
    if (ids === 'working') return ids;
    const begin = context.tokens.length + context.guessed.length;
    return ids.map((id, i) => (randomNumbers(begin + i)() < this.#chance ? (id + 1) % 1000 : id));
  }

  forget(session: number): void {
    this.#source.forget(session);
  }
}
