// What a stage measures of itself between two reports. Pure: times come from the caller.
import type { Row } from '../engine/step.ts';
import { tokenCount } from '../engine/step.ts';

export interface Interval {
  stepsTotal: number;
  tokensTotal: number;
  tokensPerSecond: number;
  decodeTokensPerSecond: number;
  stepTimeMs: number | null;
  prefill?: { tokens: number; ms: number };
  busyShare: number;
  hopBytesPerSecond: number;
}

/** A shorter beginning of a prompt says little of what a token of a long one takes. */
const MIN_PREFILL_TOKENS = 64;

export class Meter {
  #stepsTotal = 0;
  #tokensTotal = 0;
  #begin: number;
  #sentBytes = 0;
  #busyMs = 0;
  #tokens = 0;
  #decodeTokens = 0;
  #decodeSteps = 0;
  #decodeMs = 0;
  #prefill: Interval['prefill'];

  constructor(nowMs: number) {
    this.#begin = nowMs;
  }

  /** One step took this stage `durationMs`, from having its input to having sent its output. */
  step(rows: readonly Row[], durationMs: number): void {
    const tokens = tokenCount(rows);
    const decoded = rows.filter((row) => row.sample && row.count === 1).length;
    this.#stepsTotal += 1;
    this.#tokensTotal += tokens;
    this.#busyMs += durationMs;
    this.#tokens += tokens;
    this.#decodeTokens += decoded;
    if (tokens > 0 && decoded === tokens) {
      this.#decodeSteps += 1;
      this.#decodeMs += durationMs;
    }
    // with nothing before it and nobody beside it, its time is that of its tokens
    const isBeginning = rows.length === 1 && rows[0]?.position === 0 && tokens >= MIN_PREFILL_TOKENS;
    if (isBeginning && durationMs > 0 && tokens > (this.#prefill?.tokens ?? 0))
      this.#prefill = { tokens, ms: durationMs };
  }

  /** The interval since the last report, which ends it. @param sentBytes of the hop since it was opened */
  report(nowMs: number, sentBytes: number): Interval {
    const elapsedMs = Math.max(nowMs - this.#begin, 1);
    const perSecond = (count: number) => (count * 1000) / elapsedMs;
    const interval: Interval = {
      stepsTotal: this.#stepsTotal,
      tokensTotal: this.#tokensTotal,
      tokensPerSecond: perSecond(this.#tokens),
      decodeTokensPerSecond: perSecond(this.#decodeTokens),
      stepTimeMs: this.#decodeSteps > 0 ? this.#decodeMs / this.#decodeSteps : null,
      ...(this.#prefill && { prefill: this.#prefill }),
      busyShare: Math.min(this.#busyMs / elapsedMs, 1),
      hopBytesPerSecond: perSecond(sentBytes - this.#sentBytes),
    };
    this.#begin = nowMs;
    this.#sentBytes = sentBytes;
    this.#busyMs = 0;
    this.#tokens = 0;
    this.#decodeTokens = 0;
    this.#decodeSteps = 0;
    this.#decodeMs = 0;
    this.#prefill = undefined;
    return interval;
  }
}
