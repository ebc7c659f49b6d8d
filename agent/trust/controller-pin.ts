// The one controller that this agent obeys: its key, kept in the agent's home. It must not know how the two paired.
import { join } from 'node:path';
import { EspalierError } from '../../protocol/errors.ts';
import { readOwnFile, removeOwnFile, writeOwnFile } from '../../protocol/home-files.ts';
import type { Fingerprint } from '../../protocol/identity.ts';
import { Pin } from '../../protocol/pairing.ts';

export class ControllerPin {
  readonly #path: string;
  #pin: Pin | undefined;

  private constructor(path: string, pin: Pin | undefined) {
    this.#path = path;
    this.#pin = pin;
  }

  /** Reads it from the home. @throws EspalierError home_damaged */
  static open(home: string): ControllerPin {
    const path = join(home, 'paired.json');
    const text = readOwnFile(path);
    return new ControllerPin(path, text === undefined ? undefined : parse(path, text));
  }

  /** Undefined while it is not paired. */
  get pin(): Pin | undefined {
    return this.#pin;
  }

  isPinned(fingerprint: Fingerprint | undefined): boolean {
    return this.#pin !== undefined && this.#pin.fingerprint === fingerprint;
  }

  /** @throws EspalierError home_not_writable: then it is not paired */
  set(pin: Pin): void {
    writeOwnFile(this.#path, `${JSON.stringify(pin, null, 2)}\n`);
    this.#pin = pin;
  }

  /** From now on nobody is obeyed, even if the file could not be removed. @throws EspalierError home_not_writable */
  forget(): void {
    this.#pin = undefined;
    removeOwnFile(this.#path);
  }
}

function parse(path: string, text: string): Pin {
  try {
    return Pin.parse(JSON.parse(text));
  } catch {
    throw new EspalierError(
      'home_damaged',
      `${path} is damaged: it says which controller this machine obeys. Start the agent once with --forget, and pair it anew.`,
    );
  }
}
