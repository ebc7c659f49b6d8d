// What a stage learns of its steps: for how long one may keep the process from speaking, and when one takes longer than
// any can. Pure: times come from the caller.
import { FIRST_STEP_BUSY_MS, MAX_BUSY_MS, STEP_TIMEOUT_MS } from '../../protocol/limits.ts';
import { LAYERWISE_FROM_TOKENS } from '../engine/step.ts';

/** Silence, and a step, may last this many times as long as before: contexts grow, machines are busy, memory is short. */
const SILENT_TIMES = 5;
const STEP_TIMES = 10;
/** Shorter silence needs no announcement: those who listen allow for more. */
const ANNOUNCED_FROM_MS = 1_000;
/** What the longest time of a kind of step counts for after the next one. */
const FADING = 0.98;

/** Of one kind of step, by its amount of work. */
interface Measured {
  /** the longest time between two turns of the event loop */
  gapMs: number;
  stepMs: number;
}

interface Running {
  kind: 'long' | 'short';
  /** tokens of a step that is computed layer by layer, layers of one that is computed at once */
  amount: number;
  gapMs: number;
  stepMs: number;
  lastMs: number;
}

export class Pace {
  readonly #measured: Partial<Record<Running['kind'], Measured>> = {};
  #running: Running | undefined;

  /** A step begins. */
  begin(tokens: number, layers: number, nowMs: number): void {
    const isLong = tokens >= LAYERWISE_FROM_TOKENS;
    const amount = Math.max(1, isLong ? tokens : layers);
    this.#running = { kind: isLong ? 'long' : 'short', amount, gapMs: 0, stepMs: 0, lastMs: nowMs };
  }

  /** The event loop has had a turn. @param mostMs that may have passed since the last one; the rest was sleep */
  turn(nowMs: number, mostMs = Number.POSITIVE_INFINITY): void {
    const step = this.#running;
    if (!step) return;
    const passedMs = Math.min(nowMs - step.lastMs, mostMs);
    step.gapMs = Math.max(step.gapMs, passedMs);
    step.stepMs += passedMs;
    step.lastMs = nowMs;
  }

  /** The step is done. */
  end(nowMs: number): void {
    const step = this.#running;
    if (!step) return;
    this.turn(nowMs);
    this.#running = undefined;
    const { gapMs = 0, stepMs = 0 } = this.#measured[step.kind] ?? {};
    this.#measured[step.kind] = {
      gapMs: Math.max(step.gapMs / step.amount, gapMs * FADING),
      stepMs: Math.max(step.stepMs / step.amount, stepMs * FADING),
    };
  }

  /** For how long the step under way may keep the process silent from any of its turns on; 0 where that is not worth a word. */
  get busyMs(): number {
    const step = this.#running;
    if (!step) return 0;
    const measured = this.#measured[step.kind];
    if (!measured) return FIRST_STEP_BUSY_MS;
    const busyMs = SILENT_TIMES * measured.gapMs * step.amount;
    return busyMs < ANNOUNCED_FROM_MS ? 0 : Math.min(busyMs, MAX_BUSY_MS);
  }

  /** Why the step under way will never end; undefined while it may. */
  get stuck(): string | undefined {
    const step = this.#running;
    if (!step) return undefined;
    const measured = this.#measured[step.kind];
    const limitMs = measured
      ? Math.max(STEP_TIMEOUT_MS, STEP_TIMES * measured.stepMs * step.amount)
      : MAX_BUSY_MS;
    if (step.stepMs < limitMs) return undefined;
    const usual = measured ? `, where ${Math.round(measured.stepMs * step.amount)} ms were the longest` : '';
    return `a step takes ${Math.round(step.stepMs / 1000)} s${usual}`;
  }
}
