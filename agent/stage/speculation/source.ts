// What every source of guesses is to the speculator. A source may be wrong as often as it likes: nothing that it says is
// taken for true before the last stage has drawn it.
import type { GenerateRequest } from '../../../protocol/generate.ts';
import type { GuessSourceName } from '../../../protocol/speculation.ts';

/** What is known of a stream when its next tokens are guessed. */
export interface GuessContext {
  session: number;
  request: GenerateRequest;
  /** the prompt and the answer so far; only ever grows */
  tokens: readonly number[];
  /** what was guessed behind them already */
  guessed: readonly number[];
}

export interface GuessSource {
  readonly name: GuessSourceName;
  /** it costs nothing worth mentioning: it may be asked only to see whether it would have been right */
  readonly isFree: boolean;
  /**
   * Guesses the tokens that follow.
   * @param count how many are wanted, at least 1
   * @param isEnough whether it should stop with those that it has, because something else is to be done
   * @returns none where it has no idea; `working` where it needs another turn, because reading the text takes it long;
   * `coming` where some are on their way from elsewhere, and `listen` tells when
   */
  guess(
    context: GuessContext,
    count: number,
    isEnough?: () => boolean,
  ): Promise<readonly number[] | 'working' | 'coming'>;
  /**
   * Of a source that works elsewhere.
   * @param news called when something came, or waiting is no longer worth it; `isNew` where it has only begun to guess, so
   * that what was found of guessing without it says nothing
   */
  listen?(news: (isNew: boolean) => void): void;
  /** A session is over: what is known of its text can be forgotten. */
  forget(session: number): void;
}
