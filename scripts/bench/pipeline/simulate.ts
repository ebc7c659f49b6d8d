// One stream in a pipeline of stages as a model in simulated time. The real scheduler decides what is sent, and the real
// rule how many guesses a step holds; stages, hops and the chance of a right guess are numbers. Pure: it reads no clock.
import type { Row } from '../../../agent/engine/step.ts';
import { type ScheduledStep, Scheduler } from '../../../agent/stage/scheduler.ts';
import { MAX_GUESS_ROWS, StepCosts } from '../../../agent/stage/speculation/step-costs.ts';

export interface SimulatedPipeline {
  /** of a step with so many rows in each stage */
  stageMs: readonly ((rows: number) => number)[];
  /** of each hop, the one that closes the ring last */
  hopMs: readonly number[];
  /** of one guess, on the first stage */
  guessMs: number;
  /** chance of a guess to be right while all before it are; undefined: nothing is guessed */
  yieldShare: number | undefined;
  /** guesses in one step; as many as pay when left out */
  rows?: number;
}

const PROMPT_TOKENS = 4;
/** The right token of every place, and a wrong one. */
const RIGHT = 1;
const WRONG = 2;

interface Arrival<T> {
  atMs: number;
  what: T;
}

/** @param tokens of the answer @returns tokens a second after the first one */
export function simulatedSpeed(pipeline: SimulatedPipeline, tokens: number, seed = 1): number {
  return new Simulation(pipeline, tokens, seed).run();
}

/** A step that has come back, and how many tokens were drawn in it. */
type Answer = Arrival<{ step: number; drawn: number }>;

class Simulation {
  readonly #pipeline: SimulatedPipeline;
  readonly #tokens: number;
  readonly #scheduler: Scheduler;
  readonly #costs = new StepCosts();
  /** when each stage is done with what it has */
  readonly #freeAt: number[];
  /** when wrong guesses are known on each stage, from a position on; newest last */
  readonly #cancelled: Arrival<number>[][];
  readonly #answers: Answer[] = [];
  /** the place of the newest token that was drawn, as the last stage knows it */
  #newest = 0;
  #state: number;

  constructor(pipeline: SimulatedPipeline, tokens: number, seed: number) {
    this.#pipeline = pipeline;
    this.#tokens = tokens;
    this.#state = seed;
    const { stageMs } = pipeline;
    this.#freeAt = stageMs.map(() => 0);
    this.#cancelled = stageMs.map(() => []);
    this.#scheduler = new Scheduler({
      stageCount: stageMs.length,
      prefillChunkTokens: 512,
      maxChunkScores: 1e12,
      maxSessions: 1,
      maxWaiting: 1,
      maxRows: 64,
      kvTokens: 1 << 20,
    });
    const headMs = stageMs[0] as (rows: number) => number;
    for (let rows = 1; rows <= MAX_GUESS_ROWS; rows++)
      for (let i = 0; i < 4; i++) this.#costs.note(rows, headMs(rows));
  }

  run(): number {
    const sampling = { temperature: 0, topP: 1, seed: 0 };
    const promptIds = new Array<number>(PROMPT_TOKENS).fill(RIGHT);
    this.#scheduler.add({ requestId: 'a', promptIds, maxTokens: 1e6, stopIds: [], sampling });
    let nowMs = 0;
    let drawn = 0;
    let firstMs = 0;
    while (drawn < this.#tokens) {
      const before = drawn;
      drawn += this.#hear(nowMs);
      if (before === 0 && drawn > 0) firstMs = nowMs;
      const real = this.#scheduler.next();
      if (real) {
        nowMs = this.#send(real, nowMs);
        continue;
      }
      const guessed = this.#guess();
      if (!guessed) {
        nowMs = Math.max(nowMs, this.#answers[0]?.atMs ?? nowMs);
        continue;
      }
      // as the stage does it: a real row ends the guessing
      let made = 0;
      while (made < guessed.ids.length && !this.#scheduler.hasWork) {
        nowMs += this.#pipeline.guessMs;
        made += 1;
        drawn += this.#hear(nowMs);
      }
      guessed.ids.length = made;
      const first = this.#scheduler.next();
      if (first) {
        nowMs = this.#send(first, nowMs);
        drawn += this.#hear(nowMs);
      }
      const next = this.#scheduler.hasWork ? undefined : this.#scheduler.nextGuess(guessed, guessed.ids);
      if (next) nowMs = this.#send(next, nowMs);
    }
    return (1000 * (drawn - 1)) / (nowMs - firstMs);
  }

  #guess(): { session: number; begin: number; cuts: number; ids: number[] } | undefined {
    const { yieldShare, guessMs, stageMs, rows } = this.#pipeline;
    const wish = yieldShare === undefined ? undefined : this.#scheduler.guessWish();
    if (!wish || yieldShare === undefined) return undefined;
    const count = rows ?? this.#costs.rows({ yieldShare, stageCount: stageMs.length, guessMs });
    const ids = Array.from({ length: count }, () => (this.#chance() < yieldShare ? RIGHT : WRONG));
    const { session, tokens, guessed, cuts } = wish;
    return { session, begin: tokens.length + guessed.length, cuts, ids };
  }

  /** What has come back by now. @returns tokens that were drawn */
  #hear(nowMs: number): number {
    let drawn = 0;
    while ((this.#answers[0]?.atMs ?? Number.POSITIVE_INFINITY) <= nowMs) {
      const { what } = this.#answers.shift() as Answer;
      drawn += what.drawn;
      const sampled = Array.from({ length: what.drawn }, () => {
        return { session: 1, token: RIGHT, outcome: 'next' } as const;
      });
      this.#scheduler.complete(what.step, sampled);
    }
    for (const { position } of this.#scheduler.takeCancelled()) {
      let atMs = nowMs;
      for (const [stage, known] of this.#cancelled.entries()) {
        known.push({ atMs, what: position });
        atMs += this.#pipeline.hopMs[stage] ?? 0;
      }
    }
    return drawn;
  }

  /** A step's way through all stages, which take steps in order. @returns when the first stage is done with it */
  #send({ step, rows, ops }: ScheduledStep, nowMs: number): number {
    let atMs = nowMs;
    let left: readonly Row[] = rows;
    const { stageMs, hopMs } = this.#pipeline;
    for (const [stage, msOf] of stageMs.entries()) {
      atMs = Math.max(atMs, this.#freeAt[stage] as number);
      if (ops.some(({ op }) => op === 'trim')) this.#cancelled[stage] = [];
      const isLast = stage === stageMs.length - 1;
      left = left.filter((row) => row.guess === undefined || !this.#isKnownWrong(stage, row, atMs));
      if (isLast && left[0]?.guess !== undefined && !this.#isRight(left[0])) left = [];
      if (left.length > 0) atMs += msOf(left.reduce((sum, { count }) => sum + Math.min(count, 1), 0));
      this.#freeAt[stage] = atMs;
      if (!isLast) atMs += hopMs[stage] ?? 0;
    }
    let drawn = 0;
    for (const row of left) {
      if (!row.sample || (row.guess !== undefined && !this.#isRight(row))) continue;
      this.#newest = row.position + row.count;
      drawn += 1;
    }
    this.#answers.push({ atMs: atMs + (hopMs.at(-1) ?? 0), what: { step, drawn } });
    return this.#freeAt[0] as number;
  }

  #isKnownWrong(stage: number, { position }: Row, atMs: number): boolean {
    return (this.#cancelled[stage] ?? []).some((known) => known.atMs <= atMs && position >= known.what);
  }

  #isRight({ position, guess }: Row): boolean {
    return position === this.#newest && guess === RIGHT;
  }

  /** A number in [0, 1), the same ones in every run (mulberry32, in the public domain by Tommy Ettinger). */
  #chance(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }
}
