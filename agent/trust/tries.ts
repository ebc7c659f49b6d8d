// How many wrong codes this agent was told, kept in its home so that a restart forgives none: five at once, then one after
// each delay, which doubles. It must not know the code.
import { join } from 'node:path';
import { z } from 'zod';
import { EspalierError } from '../../protocol/errors.ts';
import { readOwnFile, removeOwnFile, writeOwnFile } from '../../protocol/home-files.ts';
import { FREE_PAIRING_TRIES, MAX_PAIRING_DELAY_MS, PAIRING_DELAY_MS } from '../../protocol/limits.ts';

const Failures = z.object({ failures: z.int().min(0), untilMs: z.number() });
type Failures = z.infer<typeof Failures>;

export class Tries {
  readonly #path: string;
  readonly #now: () => number;
  #state: Failures;

  private constructor(path: string, state: Failures, now: () => number) {
    this.#path = path;
    this.#state = state;
    this.#now = now;
  }

  /** @param now the time of day in milliseconds: the delay must outlive the process; @throws EspalierError home_damaged */
  static open(home: string, now: () => number = Date.now): Tries {
    const path = join(home, 'pairing-tries.json');
    return new Tries(path, parse(path, readOwnFile(path)), now);
  }

  /** Until the next try may be made, in milliseconds; 0 when it may. A clock that was set back prolongs no delay. */
  get waitMs(): number {
    const { failures, untilMs } = this.#state;
    return Math.min(Math.max(0, untilMs - this.#now()), delayMs(failures));
  }

  /** Wrong codes that are free still. */
  get left(): number {
    return Math.max(0, FREE_PAIRING_TRIES - this.#state.failures);
  }

  /** On the disk before it is told: who ends the agent at once has tried nonetheless. @throws EspalierError home_not_writable */
  fail(): void {
    const failures = this.#state.failures + 1;
    this.#state = { failures, untilMs: this.#now() + delayMs(failures) };
    writeOwnFile(this.#path, `${JSON.stringify(this.#state)}\n`);
  }

  /** The right code came. */
  forgive(): void {
    this.#state = { failures: 0, untilMs: 0 };
    removeOwnFile(this.#path);
  }
}

/** After so many wrong codes in all. */
export function delayMs(failures: number): number {
  if (failures < FREE_PAIRING_TRIES) return 0;
  return Math.min(PAIRING_DELAY_MS * 2 ** (failures - FREE_PAIRING_TRIES), MAX_PAIRING_DELAY_MS);
}

function parse(path: string, text: string | undefined): Failures {
  if (text === undefined) return { failures: 0, untilMs: 0 };
  try {
    return Failures.parse(JSON.parse(text));
  } catch {
    throw new EspalierError('home_damaged', `${path} is damaged: it counts wrong pairing codes. Remove it.`);
  }
}
