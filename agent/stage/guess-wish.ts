// For which session a guess could be sent next, and what of a guess is still of use when it comes. Pure.
import type { GenerateRequest } from '../../protocol/generate.ts';
import type { Session } from './session.ts';

/** A session for which a guess could be sent now. */
export interface GuessWish {
  session: number;
  request: GenerateRequest;
  /** the prompt and the answer so far */
  tokens: readonly number[];
  /** what was guessed behind them already, and is on its way */
  guessed: readonly number[];
  /** how many more tokens may be guessed, at least 1 */
  most: number;
  /** how often guesses of the session were wrong: what was guessed before such a cut is of no use after it */
  cuts: number;
}

/** The session with the fewest guesses of those whose next token is on its way; undefined where none is. */
export function guessWishOf(sessions: Iterable<Session>): GuessWish | undefined {
  let best: GuessWish | undefined;
  for (const { id, request, tokens, guesses, isAwaiting, cuts } of sessions) {
    const guessed = guesses.ids;
    // the row of the last guess may draw the last token
    const most = request.promptIds.length + request.maxTokens - tokens.length - guessed.length - 1;
    const isBehind = best !== undefined && guessed.length >= best.guessed.length;
    if (!isAwaiting || most < 1 || isBehind) continue;
    best = { session: id, request, tokens, guessed, most, cuts };
  }
  return best;
}

/**
 * What is left of guesses where some of their places were taken since they were made.
 * @param wish of their session, as it is now @param begin how many tokens and guesses the session had then
 * @returns the place of the first one that is left, and those left: none where they are of no use any more
 */
export function restOfGuesses(
  { tokens, guessed, most }: GuessWish,
  begin: number,
  guesses: readonly number[],
): { from: number; ids: readonly number[] } {
  const taken = [...tokens.slice(begin), ...guessed.slice(Math.max(0, begin - tokens.length))];
  const from = begin + taken.length;
  const rest = guesses.slice(taken.length);
  const isOther = taken.some((token, i) => token !== guesses[i]);
  return { from, ids: isOther || rest.length > most ? [] : rest };
}
