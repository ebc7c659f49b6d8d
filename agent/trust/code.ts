// The code that an unpaired agent shows: eight digits for one pairing, for a quarter of an hour, and never again after
// that. `espalier agent --show-code` reads it from the home of the agent that runs. It must not know who types it.
import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import { z } from 'zod';
import { readOwnFile, removeOwnFile, writeOwnFile } from '../../protocol/home-files.ts';
import { isAlive } from '../../protocol/home-lock.ts';
import { PAIRING_CODE_MS } from '../../protocol/limits.ts';
import { CODE_DIGITS } from '../../protocol/pairing.ts';

const ShownCode = z.object({ code: z.string(), untilMs: z.number(), pid: z.int() });

const FILE = 'pairing-code.json';

export class Code {
  readonly #path: string;
  readonly #onNew: (code: string) => void;
  readonly #onUnwritten: (problem: Error) => void;
  #digits = '';
  #timer: NodeJS.Timeout | undefined;

  /**
   * @param onNew gets each new code as people read it: `1234-5678`
   * @param onUnwritten it counts, but `--show-code` cannot read it: the disk is full
   */
  constructor(home: string, onNew: (code: string) => void, onUnwritten: (problem: Error) => void) {
    this.#path = join(home, FILE);
    this.#onNew = onNew;
    this.#onUnwritten = onUnwritten;
    this.renew();
  }

  /** Without the dash. */
  get digits(): string {
    return this.#digits;
  }

  /** The old one is worth nothing from now on. */
  renew(): void {
    clearTimeout(this.#timer);
    this.#digits = String(randomInt(10 ** CODE_DIGITS)).padStart(CODE_DIGITS, '0');
    this.#timer = setTimeout(() => this.renew(), PAIRING_CODE_MS).unref();
    const code = `${this.#digits.slice(0, 4)}-${this.#digits.slice(4)}`;
    const shown = { code, untilMs: Date.now() + PAIRING_CODE_MS, pid: process.pid };
    try {
      writeOwnFile(this.#path, `${JSON.stringify(shown)}\n`);
    } catch (error) {
      this.#onUnwritten(error as Error);
    }
    this.#onNew(code);
  }

  /** There is no code any more. */
  end(): void {
    clearTimeout(this.#timer);
    this.#digits = '';
    try {
      removeOwnFile(this.#path);
    } catch (error) {
      this.#onUnwritten(error as Error);
    }
  }
}

/** The code that the agent with this home shows now; undefined when it shows none. @throws EspalierError home_damaged */
export function shownCode(home: string): string | undefined {
  const text = readOwnFile(join(home, FILE));
  if (text === undefined) return undefined;
  try {
    const { code, untilMs, pid } = ShownCode.parse(JSON.parse(text));
    // one that was killed could not take its code away
    return untilMs > Date.now() && isAlive(pid) ? code : undefined;
  } catch {
    return undefined; // it is replaced soon
  }
}
