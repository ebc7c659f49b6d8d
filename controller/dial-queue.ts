// Which addresses may be dialled, and when: one dial an address at a time, with a rest after each, and room for the cluster's
// own nodes when strangers flood the network with adverts. It must not know how one dials.
import type { Logger } from 'pino';
import { MAX_CANDIDATES, MAX_DIALS, MAX_STRANGER_DIALS } from '../protocol/limits.ts';

export class DialQueue {
  readonly #log: Logger;
  /** of a dial that ended in a defect */
  readonly #defectRestMs: number;
  /** those that are being dialled, or rest until a time; whoever rests for longest is first */
  readonly #resting = new Map<string, number>();
  #dialling = 0;

  constructor(defectRestMs: number, log: Logger) {
    this.#defectRestMs = defectRestMs;
    this.#log = log;
  }

  /** Candidates that are remembered. */
  get size(): number {
    return this.#resting.size;
  }

  /** It rests, or is being dialled. */
  isResting(key: string): boolean {
    return (this.#resting.get(key) ?? 0) > performance.now();
  }

  /**
   * Dials one that does not rest, unless too many are being dialled.
   * @param isOwn whether it is one of the cluster's nodes: strangers leave room for these
   * @param dial resolves to how long it rests then, in milliseconds
   */
  dial(key: string, isOwn: boolean, dial: () => Promise<number>): void {
    if (this.#dialling >= (isOwn ? MAX_DIALS : MAX_STRANGER_DIALS)) return;
    this.#resting.set(key, Number.POSITIVE_INFINITY);
    this.#dialling += 1;
    dial()
      .catch((error) => {
        this.#log.error({ candidate: key, error: String(error) }, 'an address cannot be dialled');
        return this.#defectRestMs;
      })
      .then((restMs) => {
        this.#dialling -= 1;
        this.#rest(key, performance.now() + restMs);
      });
  }

  /** What rests may be dialled at once. */
  hurry(): void {
    for (const [key, until] of this.#resting) if (Number.isFinite(until)) this.#resting.delete(key);
  }

  #rest(key: string, until: number): void {
    this.#resting.delete(key);
    this.#resting.set(key, until);
    if (this.#resting.size <= MAX_CANDIDATES) return;
    for (const [oldest, time] of this.#resting) {
      if (!Number.isFinite(time)) continue; // is being dialled, and of those there are few
      this.#resting.delete(oldest);
      return;
    }
  }
}
