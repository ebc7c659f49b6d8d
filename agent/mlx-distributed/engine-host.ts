// What this node has of MLX Distributed, kept for whoever asks, and its installation on request: one at a time, told step
// by step. It knows neither ranks nor models.
import type { Logger } from 'pino';
import { asEspalierError } from '../../protocol/errors.ts';
import { MAX_ENGINE_WORD_CHARS } from '../../protocol/limits.ts';
import type { EngineState } from '../../protocol/ranks.ts';
import { engineState, installEnvironment } from './environment.ts';

export class EngineHost {
  readonly #enginesDir: string;
  readonly #log: Logger;
  readonly #tell: (state: EngineState) => void;
  #state: EngineState | undefined;
  #isInstalling = false;

  constructor(enginesDir: string, log: Logger, tell: (state: EngineState) => void) {
    this.#enginesDir = enginesDir;
    this.#log = log;
    this.#tell = tell;
  }

  /** undefined until it was looked at */
  get state(): EngineState | undefined {
    return this.#state;
  }

  /** Looks what is there, which a command line may have made meanwhile. */
  async look(): Promise<void> {
    if (!this.#isInstalling) this.#become(await engineState(this.#enginesDir));
  }

  /** A second request while one runs is the same request. */
  async install(): Promise<void> {
    if (this.#isInstalling) return;
    this.#isInstalling = true;
    try {
      const { versions } = await installEnvironment(this.#enginesDir, (step) => {
        this.#log.info(step);
        this.#become({ state: 'installing', step });
      });
      this.#become({ state: 'ready', versions });
    } catch (error) {
      const { code, message } = asEspalierError(error);
      this.#log.error({ code }, message);
      this.#become({ state: 'failed', code, message: message.slice(0, MAX_ENGINE_WORD_CHARS) });
    } finally {
      this.#isInstalling = false;
    }
  }

  #become(state: EngineState): void {
    this.#state = state;
    this.#tell(state);
  }
}
