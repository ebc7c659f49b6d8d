// Finds a request's stop strings in its text as it streams, across any cut into pieces, and keeps them out of sight.
// It must not know tokens or dialects.

/**
 * Passes text on until one of the stop strings is complete. What could still become a stop string waits.
 * The result does not depend on how the text is cut: the stop string that is complete first wins, and of those the longest.
 */
export class StopStrings {
  readonly #stops: readonly string[];
  #held = '';
  /** the stop string that was complete first */
  found: string | undefined;

  /** @param stops none of them empty */
  constructor(stops: readonly string[]) {
    this.#stops = stops;
  }

  /** The text that may be shown now, and whether a stop string was found right after it. */
  push(piece: string): { text: string; stopped: boolean } {
    if (this.#stops.length === 0) return { text: piece, stopped: false };
    const text = this.#held + piece;
    const hit = this.#firstHit(text);
    if (hit !== undefined) {
      this.#held = '';
      this.found = hit.stop;
      return { text: text.slice(0, hit.start), stopped: true };
    }
    const held = this.#heldLength(text);
    this.#held = text.slice(text.length - held);
    return { text: text.slice(0, text.length - held), stopped: false };
  }

  /** What is still held back when the text ends without a stop string. */
  end(): string {
    const text = this.#held;
    this.#held = '';
    return text;
  }

  /** The stop string that ends first, and where it begins. */
  #firstHit(text: string): { start: number; stop: string } | undefined {
    let best: { start: number; end: number; stop: string } | undefined;
    for (const stop of this.#stops) {
      const start = text.indexOf(stop);
      if (start < 0) continue;
      const end = start + stop.length;
      if (!best || end < best.end || (end === best.end && start < best.start)) best = { start, end, stop };
    }
    return best;
  }

  /** The length of the longest end of `text` that is a beginning of a stop string. */
  #heldLength(text: string): number {
    let longest = 0;
    for (const stop of this.#stops) {
      for (let length = Math.min(stop.length - 1, text.length); length > longest; length--) {
        if (text.endsWith(stop.slice(0, length))) longest = length;
      }
    }
    return longest;
  }
}
