// What a token of one stream takes where the stages guess ahead. Pure arithmetic, the same for whole plans in nanoseconds and
// for predictions in milliseconds.

/**
 * A token whose place was guessed wrong, or not at all, goes through all stages and hops. A right one follows the one before
 * it as soon as the slowest stage is free, or as steps in flight, one a stage, let it.
 * @param sum of all stages and hops @param slowest stage, or link @param yieldShare of guesses that are right, one a step
 * @returns in the unit of `sum` and `slowest`
 */
export function guessedTime(sum: number, slowest: number, stages: number, yieldShare: number): number {
  return (1 - yieldShare) * sum + yieldShare * Math.max(slowest, sum / stages);
}
