// What a step of so many single tokens takes this stage, and how many guesses one step should therefore hold. Pure: times
// come from the caller. On Metal a second row is nearly free, on a CPU it costs as much as the first.

/** The most rows that are tried: the chance that all of a longer chain is right is small for any source. */
export const MAX_GUESS_ROWS = 8;
/** What one measurement counts for: steps grow with their context. */
const NEWEST_SHARE = 1 / 8;
/** Fewer measurements say nothing. */
const MIN_MEASURED = 2;
/** One guessed step in so many tries one row more than pays as far as is known; sooner where that was never measured. */
const TRY_EVERY = 64;
const TRY_UNKNOWN_EVERY = 12;

/** What decides how many guesses one step should hold. */
export interface GuessOdds {
  /** share of the guesses that are right */
  yieldShare: number;
  stageCount: number;
  /** what one guess takes the first stage, beside its row */
  guessMs: number;
}

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

  /** How many guesses the next step should hold; now and then one more, to learn what that costs. */
  rows(odds: GuessOdds): number {
    const best = this.#best(odds);
    const more = Math.min(best + 1, MAX_GUESS_ROWS);
    this.#steps += 1;
    const every = this.msOf(more) === undefined ? TRY_UNKNOWN_EVERY : TRY_EVERY;
    return this.#steps % every === 0 ? more : best;
  }

  #best(odds: GuessOdds): number {
    const rowMs = this.msOf(1);
    let best = { rows: 1, rate: 0 };
    for (let rows = 1; rows <= MAX_GUESS_ROWS; rows++) {
      const stepMs = this.msOf(rows);
      if (rowMs === undefined || stepMs === undefined) break;
      const rate = guessedTokensPerMs({ ...odds, rows, rowMs, stepMs });
      if (rate > best.rate) best = { rows, rate };
    }
    return best.rows;
  }
}

/**
 * The speed of one stream whose guesses fill the pipeline, from one wrong guess to the next. A real row goes through all n
 * stages, later by what is left of a guessed step before it. As many right guesses follow in a row as the yield y lets
 * expect, y / (1 − y), in steps of k: the first step begins when the first stage is done with the real row and k guesses
 * are made, the others follow as fast as the first stage makes them. `npm run bench -- pipeline` compares what it chooses
 * with all other choices (docs/speculation.md).
 * @param of times in ms: `rowMs` of a step with one row in one stage, `stepMs` of one with `rows` guesses
 */
export function guessedTokensPerMs(of: GuessOdds & { rows: number; rowMs: number; stepMs: number }): number {
  const { stageCount, guessMs, rows, rowMs, stepMs } = of;
  const yieldShare = Math.min(of.yieldShare, 0.99);
  const inRow = yieldShare / (1 - yieldShare);
  const steps = inRow / rows;
  const lateMs = Math.max(0, stepMs + guessMs - (stageCount - 1) * rowMs) + stepMs - rowMs;
  const firstMs = rowMs + rows * guessMs + stageCount * (stepMs - rowMs);
  const othersMs = Math.max(0, steps - 1) * (stepMs + rows * guessMs);
  return (1 + inRow) / (stageCount * rowMs + lateMs + Math.min(1, steps) * firstMs + othersMs);
}
