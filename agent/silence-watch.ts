// Finds that somebody who should speak regularly has fallen silent. Whoever may be silent for a while says so in advance.
// Who watched while being blocked or asleep first reads what has come, and does not count its own sleep.
import { AwakeClock } from './awake-clock.ts';

const LOOK_MS = 500;

export interface SilenceOptions {
  /** how long silence may last beyond what was announced */
  limitMs: number;
  /** for how long the watching process itself may be blocked now */
  blockedMs?: () => number;
  /** called once, with how long nothing was heard */
  onSilent(silentMs: number): void;
}

export class SilenceWatch {
  readonly #clock: AwakeClock;
  readonly #limitMs: number;
  readonly #timer: NodeJS.Timeout;
  #heardAt: number;
  #busyMs = 0;
  #isOver = false;

  constructor({ limitMs, blockedMs, onSilent }: SilenceOptions) {
    this.#limitMs = limitMs;
    this.#clock = new AwakeClock(LOOK_MS, blockedMs);
    this.#heardAt = this.#clock.now();
    this.#timer = setInterval(() => {
      if (this.#silentMs === undefined) return;
      // after one more turn of the event loop, in which is read what lies there
      setImmediate(() => {
        const silentMs = this.#silentMs;
        if (silentMs === undefined || this.#isOver) return;
        this.stop();
        onSilent(silentMs);
      });
    }, LOOK_MS);
    this.#timer.unref();
  }

  /** Something came. @param busyMs for how long it announced to be silent; as before where it is undefined */
  heard(busyMs?: number): void {
    this.#heardAt = this.#clock.now();
    if (busyMs !== undefined) this.#busyMs = busyMs;
  }

  stop(): void {
    this.#isOver = true;
    clearInterval(this.#timer);
  }

  /** How long nothing came, where that is too long. */
  get #silentMs(): number | undefined {
    const silentMs = this.#clock.now() - this.#heardAt;
    return silentMs > this.#limitMs + this.#busyMs ? silentMs : undefined;
  }
}
