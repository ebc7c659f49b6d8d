// Counts per second over sliding windows, in buckets of a quarter of a second. Pure: times come from the caller.

const BUCKET_MS = 250;
const BUCKETS = 240; // a minute

export class Rate {
  readonly #counts = new Array<number>(BUCKETS).fill(0);
  readonly #since: number;
  #current: number;

  constructor(nowMs: number) {
    this.#since = nowMs;
    this.#current = Math.floor(nowMs / BUCKET_MS);
  }

  add(nowMs: number, count: number): void {
    this.#forward(nowMs);
    const place = this.#current % BUCKETS;
    this.#counts[place] = (this.#counts[place] ?? 0) + count;
  }

  /** Count per second over the last `windowMs` (at most a minute), or since the beginning when that is shorter. */
  perSecond(nowMs: number, windowMs: number): number {
    this.#forward(nowMs);
    const buckets = Math.min(Math.ceil(windowMs / BUCKET_MS), BUCKETS - 1);
    let count = 0;
    for (let back = 0; back <= buckets; back++)
      count += this.#counts[(this.#current - back + BUCKETS) % BUCKETS] ?? 0;
    const covered = buckets * BUCKET_MS + (nowMs % BUCKET_MS);
    return (count * 1000) / Math.max(Math.min(covered, nowMs - this.#since), BUCKET_MS);
  }

  #forward(nowMs: number): void {
    const now = Math.floor(nowMs / BUCKET_MS);
    for (let bucket = Math.max(this.#current + 1, now - BUCKETS + 1); bucket <= now; bucket++)
      this.#counts[bucket % BUCKETS] = 0;
    this.#current = Math.max(this.#current, now);
  }
}
