// Keeps this machine's facts up to date and tells what changed. When to ask is schedule's decision, how is gather's.
import { networkInterfaces } from 'node:os';
import type { Logger } from 'pino';
import { type MachineFacts, type MachineLoad, sameFacts } from '../../protocol/facts.ts';
import { FactsGatherer, type GatherOptions } from './gather.ts';
import { type Asked, askedNow, type Depth, dueDepth, NOTHING_ASKED, networkSigns } from './schedule.ts';

/** Node's own look at the interfaces costs a tenth of a millisecond. */
const LOOK_MS = 2_000;

export interface FactsListener {
  /** something other than the load has changed; also the first facts */
  onFacts(facts: MachineFacts): void;
  onLoad(load: MachineLoad): void;
  /** whether anybody wants to know the load */
  isHeard(): boolean;
}

export class FactsWatch {
  readonly #gatherer: FactsGatherer;
  readonly #listener: FactsListener;
  readonly #log: Logger;
  readonly #abort = new AbortController();
  readonly #timer: NodeJS.Timeout;
  #asked: Asked = NOTHING_ASKED;
  #facts: MachineFacts | undefined;
  #gathering: Promise<void> | undefined;

  /** Begins at once. */
  constructor(listener: FactsListener, log: Logger, options: Omit<GatherOptions, 'signal'> = {}) {
    this.#listener = listener;
    this.#log = log;
    this.#gatherer = new FactsGatherer({ ...options, signal: this.#abort.signal });
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
    this.#look();
  }

  /** Undefined until the first were gathered: up to 20 s on a busy Mac. */
  get facts(): MachineFacts | undefined {
    return this.#facts;
  }

  /** Ends with all commands that were under way. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#abort.abort();
    await this.#gathering;
  }

  #look(): void {
    if (this.#gathering) return;
    const signs = networkSigns(networkInterfaces());
    const moment = { now: performance.now(), ...signs, isHeard: this.#listener.isHeard() };
    const depth = dueDepth(this.#asked, moment);
    if (depth === undefined) return;
    this.#asked = askedNow(this.#asked, depth, moment);
    this.#gathering = this.#gatherer
      .gather(depth)
      .then((facts) => this.#take(facts, depth))
      .catch((error) => this.#log.error(error, 'facts of this machine could not be gathered'))
      .finally(() => {
        this.#gathering = undefined;
      });
  }

  #take(facts: MachineFacts, depth: Depth): void {
    if (this.#abort.signal.aborted) return;
    const before = this.#facts;
    this.#facts = facts;
    if (before && sameFacts(before, facts)) {
      if (this.#listener.isHeard()) this.#listener.onLoad(facts.load);
      return;
    }
    // a cable was plugged in or pulled: everything that hangs on it is asked for at the next look
    if (before && depth !== 'all' && linksOf(before) !== linksOf(facts)) this.#asked = NOTHING_ASKED;
    this.#listener.onFacts(facts);
  }
}

function linksOf(facts: MachineFacts): string {
  return facts.interfaces.map(({ name, active }) => `${name} ${active}`).join();
}
