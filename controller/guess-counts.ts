// Guesses of all deployments since the controller started: stages count anew in each. Pure.
import type { GuessSourceName, GuessStats, GuessTotal } from '../protocol/speculation.ts';

/** Fewer guesses say little. */
const MIN_JUDGED = 50;

export class GuessCounts {
  readonly #before = new Map<GuessSourceName, GuessTotal>();
  #present: GuessTotal[] = [];
  /** of models that were deployed before */
  #ofOthers = { kept: 0, judged: 0 };
  #epoch = 0;

  /** What the first stage of a deployment tells. */
  note(epoch: number, { totals }: GuessStats): void {
    if (epoch !== this.#epoch) {
      for (const total of this.all) this.#before.set(total.source, total);
      this.#epoch = epoch;
    }
    this.#present = totals;
  }

  /** From now on another model is guessed for: what was right for the last one says nothing of it. */
  modelChanged(): void {
    this.#ofOthers = { kept: this.#sum('kept'), judged: this.#sum('judged') };
  }

  get all(): GuessTotal[] {
    const sources = new Set([...this.#before.keys(), ...this.#present.map(({ source }) => source)]);
    return [...sources].map((source) => {
      const parts = [this.#before.get(source), this.#present.find((each) => each.source === source)];
      const sum = (of: 'sent' | 'kept' | 'judged') => parts.reduce((all, part) => all + (part?.[of] ?? 0), 0);
      return { source, sent: sum('sent'), kept: sum('kept'), judged: sum('judged') };
    });
  }

  /** The share of the present model's guesses that were right; undefined before enough of them were judged to say so. */
  get yieldShare(): number | undefined {
    const judged = this.#sum('judged') - this.#ofOthers.judged;
    return judged >= MIN_JUDGED ? (this.#sum('kept') - this.#ofOthers.kept) / judged : undefined;
  }

  #sum(of: 'kept' | 'judged'): number {
    return this.all.reduce((all, each) => all + each[of], 0);
  }
}
