// When each of the last steps did what on this stage, in a ring that is allocated once: a step costs a few clock reads
// and no memory, so it is always on. Pure: the clock comes from the caller.
import { MAX_TRACE_STEPS } from '../../protocol/limits.ts';
import type { TracedStep, TracedSteps } from '../../protocol/trace.ts';
import type { Row } from '../engine/step.ts';

/** What a step goes through between `begin` and `end`. */
export type StepPhase = 'deserialize' | 'compute' | 'serialize' | 'send' | 'finish';

/** The numbers of one step, in the order in which they lie in the ring. */
const FIELDS = [
  'step',
  'rows',
  'prefillTokens',
  'decodeTokens',
  'guessedTokens',
  'sentBytes',
  'beginUs',
  'restUs',
  'tidyUs',
  'waitUs',
  'deserializeUs',
  'computeUs',
  'serializeUs',
  'sendUs',
  'finishUs',
  'answeredUs',
] as const satisfies (keyof TracedStep)[];
const WIDTH = FIELDS.length;

const place = (field: keyof TracedStep) => FIELDS.indexOf(field);
const ANSWERED = place('answeredUs');
const SENT_BYTES = place('sentBytes');
const PHASES: Record<StepPhase, number> = {
  deserialize: place('deserializeUs'),
  compute: place('computeUs'),
  serialize: place('serializeUs'),
  send: place('sendUs'),
  finish: place('finishUs'),
};

/** One more than are kept: the step that is under way has its slot before it counts. */
const SLOTS = MAX_TRACE_STEPS + 1;
/** Of a number that is not known yet. Times since 1970 are far from it. */
const UNKNOWN = 0;

export class Tracer {
  readonly #nowMs: () => number;
  readonly #ring = new Float64Array(SLOTS * WIDTH);
  /** steps that ended, since the beginning */
  #ended = 0;
  /** where the numbers of the step under way begin; undefined between two steps */
  #open: number | undefined;
  /** up to when everything is accounted for */
  #lastUs: number | undefined;
  #restUs = 0;
  #tidyUs = 0;

  /** @param nowMs milliseconds since 1970 with fractions, never going back: `performance.timeOrigin + performance.now()` */
  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** The stage takes a step up. One that has not ended is forgotten: it failed. */
  begin(step: number, rows: readonly Row[]): void {
    const now = this.#nowUs();
    const at = (this.#ended % SLOTS) * WIDTH;
    let prefillTokens = 0;
    let decodeTokens = 0;
    let guessedTokens = 0;
    for (const row of rows) {
      if (row.guess !== undefined) guessedTokens += 1;
      else if (row.sample && row.count === 1) decodeTokens += 1;
      else prefillTokens += row.count;
    }
    const waitUs = now - (this.#lastUs ?? now);
    this.#ring.set([step, rows.length, prefillTokens, decodeTokens, guessedTokens, 0, now], at);
    this.#ring.set([this.#restUs, this.#tidyUs, waitUs, 0, 0, 0, 0, 0, UNKNOWN], at + place('restUs'));
    this.#open = at;
    this.#lastUs = now;
    this.#restUs = 0;
    this.#tidyUs = 0;
  }

  /** What the step did since the last mark was this. A phase may come in several parts. */
  mark(phase: StepPhase): void {
    const at = this.#open;
    if (at === undefined) return;
    const passed = this.#passed();
    this.#ring[at + PHASES[phase]] = (this.#ring[at + PHASES[phase]] as number) + passed;
  }

  /** The step's result is a frame of this many bytes, and about to be sent. */
  encoded(bytes: number): void {
    this.mark('serialize');
    if (this.#open !== undefined) this.#ring[this.#open + SENT_BYTES] = bytes;
  }

  /** The step is done with. */
  end(): void {
    if (this.#open === undefined) return;
    this.mark('finish');
    this.#open = undefined;
    this.#ended += 1;
  }

  /** The stage gives memory back, between two steps. */
  async tidy(task: () => Promise<void>): Promise<void> {
    this.#restUs += this.#passed();
    await task();
    this.#tidyUs += this.#passed();
  }

  /** First stage: the answer to a step came back. It is one of the last, so the search is short. */
  answered(step: number): void {
    const newest = this.#open === undefined ? this.#ended - 1 : this.#ended;
    for (let i = newest; i >= 0 && i > newest - MAX_TRACE_STEPS; i--) {
      const at = (i % SLOTS) * WIDTH;
      if (this.#ring[at] !== step) continue;
      this.#ring[at + ANSWERED] = this.#nowUs();
      return;
    }
  }

  /** The last steps that ended, oldest first, at most MAX_TRACE_STEPS. */
  steps(): TracedSteps {
    const count = Math.min(this.#ended, MAX_TRACE_STEPS);
    return Array.from({ length: count }, (_, i) => this.#read(this.#ended - count + i));
  }

  #read(index: number): TracedStep {
    const at = (index % SLOTS) * WIDTH;
    const entries = FIELDS.map((field, i) => [field, this.#ring[at + i]]);
    const step = Object.fromEntries(entries) as TracedStep;
    return { ...step, answeredUs: step.answeredUs === UNKNOWN ? null : step.answeredUs };
  }

  /** Whole microseconds since the last call, or none at the first. */
  #passed(): number {
    const now = this.#nowUs();
    const passed = now - (this.#lastUs ?? now);
    this.#lastUs = now;
    return passed;
  }

  #nowUs(): number {
    return Math.round(this.#nowMs() * 1000);
  }
}
