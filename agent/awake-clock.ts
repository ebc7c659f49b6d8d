// A clock for deadlines that stands still while this process does: what was suspended with the whole machine (a laptop's
// lid, SIGSTOP) must not take its own sleep for the silence of others. It must be looked at regularly.

/** How late a look may come before it is taken for sleep: a busy machine and a garbage collection are no sleep. */
const OVERSLEPT_MS = 1_000;

export class AwakeClock {
  readonly #tickMs: number;
  readonly #blockedMs: () => number;
  readonly #nowMs: () => number;
  #last: number;
  #awakeMs = 0;

  /**
   * @param tickMs the longest time between two looks, as far as timers keep it
   * @param blockedMs for how long this process may have been busy by itself since the last look: that is no sleep
   * @param nowMs a monotonic clock
   */
  constructor(
    tickMs: number,
    blockedMs: () => number = () => 0,
    nowMs: () => number = () => performance.now(),
  ) {
    this.#tickMs = tickMs;
    this.#blockedMs = blockedMs;
    this.#nowMs = nowMs;
    this.#last = nowMs();
  }

  /** Milliseconds for which this process was awake since the clock was made. */
  now(): number {
    const now = this.#nowMs();
    this.#awakeMs += Math.min(now - this.#last, this.#tickMs + this.#blockedMs() + OVERSLEPT_MS);
    this.#last = now;
    return this.#awakeMs;
  }
}
