// One measured generation: the tokens, and when each of them came. The same for both sides of a comparison; it must not
// know what generates.

export interface Generation {
  tokens: readonly number[];
  /** milliseconds from the request to each token */
  atMs: readonly number[];
}

/** Milliseconds from the request to the first token: the prefill, and what is around it. */
export function firstTokenMs({ atMs }: Generation): number {
  return at(atMs, 0);
}

/** Milliseconds from the request to the last token. */
export function totalMs({ atMs }: Generation): number {
  return at(atMs, atMs.length - 1);
}

/**
 * Mean milliseconds of a decode step.
 * @param from index of the token after which it begins
 * @param to index of the token with which it ends; the last one when left out
 * @throws RangeError when there is no step between the two, or no such token
 */
export function stepMs({ atMs }: Generation, from = 0, to = atMs.length - 1): number {
  if (to <= from) throw new RangeError(`there is no step from token ${from} to token ${to}`);
  return (at(atMs, to) - at(atMs, from)) / (to - from);
}

function at(atMs: readonly number[], index: number): number {
  const ms = atMs[index];
  if (ms === undefined) throw new RangeError(`there is no token ${index}: ${atMs.length} came`);
  return ms;
}
