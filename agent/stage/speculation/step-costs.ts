// What a step of so many single tokens takes this stage, and how many guesses one step should therefore hold. Pure: times
// come from the caller. On Metal a second row is nearly free, on a CPU it costs as much as the first.

/** The most rows that are tried: the chance that all of a longer chain is right is small for any source. */
export const MAX_GUESS_ROWS = 8;
/** What one measurement counts for: steps grow with their context. */
const NEWEST_SHARE = 1 / 8;
/** Fewer measurements say nothing. */
const MIN_MEASURED = 3;
/** One guessed step in so many tries one row more than pays as far as is known. */
const TRY_EVERY = 64;

interface Cost {
  ms: number;
  count: number;
}

export class StepCosts {
  readonly #costs: (Cost | undefined)[] = [];
  #steps = 0;

  /** A step of nothing but `rows` single tokens took this long. */
  note(rows: number, ms: number): void {
    if (rows < 1 || rows > MAX_GUESS_ROWS) return;
    const known = this.#costs[rows];
    this.#costs[rows] = known
      ? { ms: known.ms + (ms - known.ms) * NEWEST_SHARE, count: known.count + 1 }
      : { ms, count: 1 };
  }

  /** Milliseconds of a step with so many rows; undefined before it was measured often enough. */
  msOf(rows: number): number | undefined {
    const cost = this.#costs[rows];
    return cost && cost.count >= MIN_MEASURED ? cost.ms : undefined;
  }

  /**
   * How many guesses the next step should hold; now and then one more, to learn what that costs.
   * @param yieldShare of the guesses that are right
   */
  rows(yieldShare: number, stageCount: number): number {
    const best = this.#best(yieldShare, stageCount);
    this.#steps += 1;
    const isTrial = this.#steps % TRY_EVERY < MIN_MEASURED;
    return isTrial ? Math.min(best + 1, MAX_GUESS_ROWS) : best;
  }

  #best(yieldShare: number, stageCount: number): number {
    let best = { rows: 1, rate: 0 };
    for (let rows = 1; rows <= MAX_GUESS_ROWS; rows++) {
      const one = this.msOf(1);
      const ms = this.msOf(rows);
      if (one === undefined || ms === undefined) break;
      const rate = tokensPerMs({ yieldShare, stageCount, rows, rowMs: one, stepMs: ms });
      if (rate > best.rate) best = { rows, rate };
    }
    return best.rows;
  }
}

/**
 * The speed of one stream whose guesses fill the pipeline: a drawn token has gone through all stages; as many right ones in
 * a row as the yield y lets expect, y / (1 − y), follow at the pace of guessed steps, and the first wrong one begins anew.
 */
function tokensPerMs(of: {
  yieldShare: number;
  stageCount: number;
  rows: number;
  rowMs: number;
  stepMs: number;
}): number {
  const yieldShare = Math.min(of.yieldShare, 0.99);
  const inRow = yieldShare / (1 - yieldShare);
  return (1 + inRow) / (of.stageCount * of.rowMs + (inRow * of.stepMs) / of.rows);
}
