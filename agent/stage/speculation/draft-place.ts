// A draft's place beside a ring: listens for the first stage, hears its texts, and answers with guesses over the same hop.
// Without the first stage it only waits.

import type { DraftStats } from '../../../protocol/draft.ts';
import type { Credentials } from '../../../protocol/identity.ts';
import type { StageSpec } from '../../../protocol/stage.ts';
import { HopServer } from '../hop.ts';
import { DraftLoop } from './draft-loop.ts';
import type { DraftSource } from './draft-source.ts';

export interface DraftPlaceParts {
  credentials: Credentials;
  source: DraftSource;
  settle(): Promise<void>;
  /** for how long this process may be blocked from now on */
  busyMs(): number;
  guessBegins(tokens: number): Promise<void> | void;
  guessEnds(): void;
}

export interface DraftPlaceListener {
  onLost(reason: string): void;
  /** a stranger knocked */
  onRefused(reason: string): void;
  /** the engine cannot go on */
  onBroken(error: unknown): void;
}

export class DraftPlace {
  readonly spec: StageSpec;
  readonly #loop: DraftLoop;
  readonly #server: HopServer;
  readonly #source: DraftSource;
  #measured = { sinceMs: performance.now(), busyMs: 0, guesses: 0 };

  constructor(spec: StageSpec, parts: DraftPlaceParts, listener: DraftPlaceListener) {
    this.spec = spec;
    this.#source = parts.source;
    const { epoch, hopToken, neighbours } = spec;
    this.#server = new HopServer(
      { epoch, fromStage: 0, hopToken },
      { credentials: parts.credentials, peer: neighbours.before },
      {
        onLinked: () => void this.#loop.run().catch((error) => listener.onBroken(error)),
        onFrame: (frame) => {
          const wrong =
            frame.kind === 'draft' ? this.#loop.receive(frame.word) : `a ${frame.kind} frame is for stages`;
          if (wrong !== undefined) this.#server.drop(wrong);
        },
        onLost: (reason) => {
          void this.#loop.stop();
          listener.onLost(reason);
        },
        onRefused: (reason) => listener.onRefused(reason),
        blockedMs: () => parts.busyMs(),
      },
    );
    this.#loop = new DraftLoop({
      source: parts.source,
      say: (word) => this.#server.reply({ kind: 'draft', epoch, word }),
      refuse: (reason) => this.#server.drop(reason),
      settle: () => parts.settle(),
      guessBegins: (tokens) => parts.guessBegins(tokens),
      guessEnds: (ms, guesses) => {
        parts.guessEnds();
        this.#measured.busyMs += ms;
        this.#measured.guesses += guesses;
      },
    });
  }

  /** @returns the port at which the first stage reaches it */
  listen(hopHost: string): Promise<number> {
    return this.#server.listen(hopHost);
  }

  /** Tells the first stage that the draft lives. @param busyMs for how long it may be silent from now on */
  beat(busyMs: number): void {
    this.#server.reply({ kind: 'beat', epoch: this.spec.epoch, busyMs });
  }

  /** Closes the hop at once. @returns when the guess under way has ended, and nothing is known of any text */
  async leave(): Promise<void> {
    this.#server.close();
    await this.#loop.stop();
    this.#source.clear();
  }

  /** What was measured since the last report. */
  report(): DraftStats {
    const now = performance.now();
    const { sinceMs, busyMs, guesses } = this.#measured;
    const passedMs = Math.max(1, now - sinceMs);
    this.#measured = { sinceMs: now, busyMs: 0, guesses: 0 };
    const { weightBytes, kvBytes } = this.#source;
    return {
      residentBytes: process.memoryUsage.rss(),
      ...{ weightBytes, kvBytes },
      guessesPerSecond: (guesses * 1000) / passedMs,
      busyShare: Math.min(1, busyMs / passedMs),
    };
  }
}
