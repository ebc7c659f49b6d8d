// When a rank has failed without saying so. Pure: what happened and when goes in, a reason comes out. MLX has no time-outs:
// a rank that freezes lets all others wait for ever.
import {
  LOAD_TIMEOUT_MS,
  RANK_LINK_TIMEOUT_MS,
  RANK_PROGRESS_TIMEOUT_MS,
  RANK_SILENCE_MS,
} from '../../protocol/limits.ts';
import type { Split } from '../../protocol/ranks.ts';

type Phase = 'loading' | 'loaded' | 'linking' | 'linked';

export class RankWatch {
  readonly #linkTimeoutMs: number;
  #phase: Phase = 'loading';
  /** when the phase began */
  #since: number;
  #heardAt: number;
  #progressAt: number;
  #steps = -1;
  readonly #running = new Set<string>();

  /** @param now milliseconds on a clock that never jumps, here and everywhere */
  constructor(now: number, split: Split) {
    // of tensor parallel, a rank reads its part once the ranks have met
    this.#linkTimeoutMs = split === 'tensor' ? LOAD_TIMEOUT_MS : RANK_LINK_TIMEOUT_MS;
    this.#since = now;
    this.#heardAt = now;
    this.#progressAt = now;
  }

  enter(phase: Phase, now: number): void {
    this.#phase = phase;
    this.#since = now;
    this.#heardAt = now;
    this.#progressAt = now;
  }

  /** The rank said something. */
  heard(now: number): void {
    this.#heardAt = now;
  }

  /** It told how many steps it has made. */
  steps(total: number, now: number): void {
    if (total !== this.#steps) this.#progressAt = now;
    this.#steps = total;
  }

  /** It was given a request. Those of the first one alone have been waiting since. */
  began(requestId: string, now: number): void {
    if (this.#running.size === 0) this.#progressAt = now;
    this.#running.add(requestId);
  }

  ended(requestId: string): void {
    this.#running.delete(requestId);
  }

  /** Requests that it was given and has not ended. */
  get running(): ReadonlySet<string> {
    return this.#running;
  }

  endAll(): void {
    this.#running.clear();
  }

  /** The agent's own clock stood still (it was stopped, or the machine slept): nobody has had the time to speak. */
  pardon(now: number): void {
    this.#heardAt = now;
    this.#progressAt = now;
    this.#since = now;
  }

  /** Why the rank must go; undefined while all is well. */
  verdict(now: number): string | undefined {
    const seconds = (ms: number) => `${ms / 1000} s`;
    switch (this.#phase) {
      case 'loading':
        return now - this.#since > LOAD_TIMEOUT_MS
          ? `it did not load within ${seconds(LOAD_TIMEOUT_MS)}`
          : undefined;
      case 'loaded':
        return undefined;
      case 'linking':
        return now - this.#since > this.#linkTimeoutMs
          ? `it did not find the other ranks within ${seconds(this.#linkTimeoutMs)}`
          : undefined;
      case 'linked':
        if (now - this.#heardAt > RANK_SILENCE_MS)
          return `it is frozen: it has said nothing for ${seconds(RANK_SILENCE_MS)}`;
        return this.#running.size > 0 && now - this.#progressAt > RANK_PROGRESS_TIMEOUT_MS
          ? `the ranks have made no step for ${seconds(RANK_PROGRESS_TIMEOUT_MS)}: one of them is frozen, or a link is gone`
          : undefined;
    }
  }
}
