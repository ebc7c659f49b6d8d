// Holds a flow of bytes to a rate: whoever has taken more than its share waits. It must not know what flows.
import { setTimeout as delay } from 'node:timers/promises';

/** What was not used in a quiet moment may be made up for, as far as this. */
const BURST_MS = 250;

export class RateLimit {
  readonly #bytesPerMs: number;
  /** when all bytes that were taken have had their time */
  #paidUntilMs = 0;

  constructor(bytesPerSecond: number) {
    this.#bytesPerMs = bytesPerSecond / 1000;
  }

  /** Waits until so many bytes were due. @throws the signal's reason */
  async take(bytes: number, signal: AbortSignal): Promise<void> {
    const now = performance.now();
    this.#paidUntilMs = Math.max(this.#paidUntilMs, now - BURST_MS) + bytes / this.#bytesPerMs;
    if (this.#paidUntilMs > now) await delay(this.#paidUntilMs - now, undefined, { signal });
  }
}
