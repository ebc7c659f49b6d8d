// Ten minutes of one rate, a sample a second. What is counted between two moments is spread evenly over them, so that the
// samples add up to what was counted however late reports come. Pure: times come from the caller.
import { HISTORY_SAMPLES, HISTORY_STEP_MS } from '../protocol/limits.ts';

export class RateHistory {
  readonly #counts = new Float64Array(HISTORY_SAMPLES);
  /** of each second: for how many milliseconds of it there was a report */
  readonly #coveredMs = new Float64Array(HISTORY_SAMPLES);
  /** the newest second that a report has reached */
  #newest = -1;

  /** Counted from `fromMs` to `toMs`. What is older than ten minutes, or runs backwards, is left out. */
  add(fromMs: number, toMs: number, count: number): void {
    const durationMs = toMs - fromMs;
    if (!(durationMs > 0)) return;
    const last = Math.ceil(toMs / HISTORY_STEP_MS) - 1;
    this.#forward(last);
    const first = Math.max(Math.floor(fromMs / HISTORY_STEP_MS), this.#newest - HISTORY_SAMPLES + 1);
    for (let second = first; second <= last; second++) {
      const begin = Math.max(fromMs, second * HISTORY_STEP_MS);
      const share = Math.max(0, Math.min(toMs, (second + 1) * HISTORY_STEP_MS) - begin);
      const place = second % HISTORY_SAMPLES;
      this.#counts[place] = (this.#counts[place] ?? 0) + (count * share) / durationMs;
      this.#coveredMs[place] = (this.#coveredMs[place] ?? 0) + share;
    }
  }

  /** Counts per second for the ten minutes before `endMs`, oldest first; null where nothing was reported. */
  samples(endMs: number): (number | null)[] {
    const end = Math.floor(endMs / HISTORY_STEP_MS);
    const begin = Math.max(0, end - HISTORY_SAMPLES);
    return Array.from({ length: end - begin }, (_, index) => this.#sample(begin + index));
  }

  #sample(second: number): number | null {
    if (second > this.#newest || second <= this.#newest - HISTORY_SAMPLES) return null;
    const place = second % HISTORY_SAMPLES;
    const coveredMs = this.#coveredMs[place] ?? 0;
    return coveredMs > 0 ? ((this.#counts[place] ?? 0) * 1_000) / coveredMs : null;
  }

  #forward(second: number): void {
    const first = Math.max(this.#newest + 1, second - HISTORY_SAMPLES + 1);
    for (let passed = first; passed <= second; passed++) {
      this.#counts[passed % HISTORY_SAMPLES] = 0;
      this.#coveredMs[passed % HISTORY_SAMPLES] = 0;
    }
    this.#newest = Math.max(this.#newest, second);
  }
}
