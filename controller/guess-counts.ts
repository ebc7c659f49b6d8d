// Guesses of all deployments since the controller started: stages count anew in each. Pure.
import type { GuessSourceName, GuessStats } from '../protocol/speculation.ts';

type Totals = GuessStats['totals'];

export class GuessCounts {
  readonly #before = new Map<GuessSourceName, { sent: number; kept: number }>();
  #present: Totals = [];
  #epoch = 0;

  /** What the first stage of a deployment tells. */
  note(epoch: number, { totals }: GuessStats): void {
    if (epoch !== this.#epoch) {
      for (const { source, sent, kept } of this.all) this.#before.set(source, { sent, kept });
      this.#epoch = epoch;
    }
    this.#present = totals;
  }

  get all(): Totals {
    const sources = new Set([...this.#before.keys(), ...this.#present.map(({ source }) => source)]);
    return [...sources].map((source) => {
      const before = this.#before.get(source) ?? { sent: 0, kept: 0 };
      const { sent, kept } = this.#present.find((each) => each.source === source) ?? { sent: 0, kept: 0 };
      return { source, sent: before.sent + sent, kept: before.kept + kept };
    });
  }
}
