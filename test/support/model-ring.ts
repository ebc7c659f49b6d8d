// The real scheduler and a ring of model stages: random requests, answers, cancels, faults and broken hops, in any order
// that a ring allows. What every stage holds is compared with what it ought to hold.
import assert from 'node:assert/strict';
import type { OpenOp } from '../../agent/engine/sessions.ts';
import type { Row, SessionOp } from '../../agent/engine/step.ts';
import type { SampledToken } from '../../agent/stage/frame.ts';
import { type ScheduledStep, Scheduler, type SchedulerOptions } from '../../agent/stage/scheduler.ts';
import type { GenerateRequest } from '../../protocol/generate.ts';
import { KV_BLOCK_TOKENS, MAX_ROWS, MAX_STEP_OPS } from '../../protocol/limits.ts';
import { type Asked, type ModelContext, ModelStage } from './model-stage.ts';
import { GREEDY, randomNumbers } from './sampling.ts';

/** One answer in so many ends at each token. */
const STOP_EVERY = 200;
const MAX_WAITING = 6;

export interface RingSetting
  extends Pick<SchedulerOptions, 'stageCount' | 'maxSessions' | 'prefillChunkTokens'> {
  blocks: number;
  /** chance of a fault, before and after a row */
  faults: number;
  seed: number;
  /** share of guesses that are right; none are made when left out */
  yieldShare?: number;
}

type Random = (below: number) => number;

export class ModelRing {
  readonly #context: ModelContext;
  readonly #random: Random;
  readonly #setting: RingSetting;
  #scheduler: Scheduler;
  readonly #stages: ModelStage[];
  readonly #answers: { step: number; sampled: SampledToken[] }[] = [];
  readonly #asked = new Map<string, Asked>();
  #capacity: number;
  /** of each session, the token that was drawn last, and its place */
  readonly #newest = new Map<number, { token: number; position: number }>();
  keptGuesses = 0;
  wrongGuesses = 0;
  /** the stage whose frames are lost on their way */
  #brokenAfter: number | undefined;
  #isSaving = false;
  pauses = 0;
  /** of sessions that began with KV of the deployment before theirs, tokens that were not computed again */
  savedTokens = 0;

  constructor(setting: RingSetting) {
    this.#setting = setting;
    const uniform = randomNumbers(setting.seed);
    this.#random = (below) => Math.floor(uniform() * below);
    this.#context = {
      maxSessions: setting.maxSessions,
      kvTokens: setting.blocks * KV_BLOCK_TOKENS,
      isUnlucky: () => uniform() < setting.faults / setting.stageCount,
      asked: this.#asked,
      broken: new Set(),
    };
    this.#capacity = setting.blocks * KV_BLOCK_TOKENS;
    this.#scheduler = new Scheduler(this.#options());
    this.#stages = Array.from({ length: setting.stageCount }, () => new ModelStage(this.#context));
  }

  #options(): SchedulerOptions {
    const { stageCount, maxSessions, prefillChunkTokens } = this.#setting;
    const kvTokens = this.#capacity;
    return {
      stageCount,
      maxSessions,
      prefillChunkTokens,
      maxChunkScores: 1e12,
      maxWaiting: MAX_WAITING,
      maxRows: 8,
      kvTokens,
    };
  }

  get ends(): Asked['end'][] {
    return [...this.#asked.values()].map(({ end }) => end);
  }

  /** Something that may happen now. */
  act(): void {
    const choice = this.#random(200);
    if (choice < 8) this.#ask();
    else if (choice < 9) this.#cancel();
    else this.#work();
  }

  /** Lets everything that was asked come to its end, and looks at what is left. */
  rest(): void {
    while (this.#isBusy()) this.#work();
    // the head's turn ends when it has nothing for a free slot: if anybody still waits then, nobody will ever wake them
    while (this.#headTurn() || this.#isBusy()) while (this.#isBusy()) this.#work();
    const open = [...this.#asked.values()].filter(({ end }) => end === undefined);
    assert.deepEqual(
      open.map(({ request }) => request.requestId),
      [],
      'they wait for ever',
    );
    assert.equal(this.#scheduler.sessionCount + this.#scheduler.waitingCount, 0);
    const { liveTokens, keptTokens } = this.#scheduler.kvUse;
    assert.equal(liveTokens, 0);
    const [first] = this.#stages as [ModelStage];
    for (const stage of this.#stages) {
      assert.equal(stage.heldTokens, keptTokens, 'the ledger says what the stages hold');
      assert.deepEqual(stage.kv, first.kv, 'all stages hold the same');
      assert.deepEqual(stage.faultySessions, [], 'what failed is forgotten');
    }
  }

  #isBusy(): boolean {
    return this.#answers.length > 0 || this.#stages.some(({ queue }) => queue.length > 0);
  }

  #work(): void {
    const place = this.#random(this.#stages.length);
    if (place === 0) this.#headTurn();
    else this.#stageTurn(place);
  }

  #headTurn(): boolean {
    for (const { step, sampled } of this.#answers.splice(0)) {
      for (const { verdict } of this.#scheduler.complete(step, sampled)) {
        if (verdict === 'right') this.keptGuesses += 1;
        if (verdict === 'wrong') this.wrongGuesses += 1;
      }
    }
    // to some stages in time, to others too late to matter
    for (const { session, position } of this.#scheduler.takeCancelled()) {
      for (const stage of this.#stages.slice(1, -1))
        if (this.#random(2) === 0) stage.cancelGuesses(session, position);
    }
    const step = this.#scheduler.next() ?? this.#guess();
    if (!step) return false;
    this.pauses += step.ops.filter(({ op }) => op === 'trim').length;
    if (this.#isSaving) {
      for (const op of step.ops) if (op.op === 'open') this.savedTokens += op.from?.length ?? 0;
    }
    assert.ok(step.rows.length <= MAX_ROWS && step.ops.length <= MAX_STEP_OPS);
    this.#stages[0]?.queue.push(step);
    this.#stageTurn(0);
    return true;
  }

  /** Up to three guesses of a stream, some of them right. */
  #guess(): ScheduledStep | undefined {
    const { yieldShare } = this.#setting;
    const wish = yieldShare === undefined ? undefined : this.#scheduler.guessWish();
    if (!wish) return undefined;
    const { session, request, tokens, guessed, most, cuts } = wish;
    const begin = tokens.length + guessed.length;
    const ids = Array.from({ length: Math.min(most, 1 + this.#random(3)) }, (_, i) => {
      const { token } = this.#drawAt(request, begin + i - request.promptIds.length);
      return this.#random(100) < 100 * (yieldShare as number) ? token : token + 1;
    });
    return this.#scheduler.nextGuess({ session, begin, cuts }, ids);
  }

  #isRight({ session, position, guess }: Row): boolean {
    const newest = this.#newest.get(session);
    return newest?.position === position && newest.token === guess;
  }

  #stageTurn(place: number): void {
    const stage = this.#stages[place] as ModelStage;
    const step = stage.queue.shift();
    if (!step) return;
    const next = this.#stages[place + 1];
    // the last stage alone knows what was drawn
    const isOpen = (row: Row, taken: ReadonlySet<number>) =>
      next !== undefined || taken.has(row.session) || this.#isRight(row);
    const { passed, failed, sound } = stage.run(step, isOpen);
    const isLost = this.#brokenAfter === place;
    if (!next) this.#answer(stage, step, failed, sound, isLost);
    else if (!isLost) next.queue.push(passed);
  }

  /**
   * A hop breaks, the stages go on for a while with what they have, and then take their places in a new ring, with as much
   * room as that has. Whoever asked asks again, with the tokens that it has.
   * @param keepsKv whether all stages are still there
   */
  breakAndRelink(keepsKv: boolean): void {
    this.#brokenAfter = this.#random(this.#stages.length);
    for (let turns = this.#random(4 * this.#stages.length); turns > 0; turns--) this.#work();
    this.#brokenAfter = undefined;
    this.#answers.length = 0;
    this.#newest.clear();
    if (this.#random(3) === 0) this.#capacity = (this.#setting.blocks - this.#random(2)) * KV_BLOCK_TOKENS;
    this.#context.kvTokens = this.#capacity;
    this.#scheduler = new Scheduler(this.#options(), keepsKv ? this.#scheduler : undefined);
    const waiting = [...this.#asked.values()].filter(({ end }) => end === undefined);
    // sessions' numbers begin anew where nobody has any
    if (!keepsKv) this.#context.broken.clear();
    for (const stage of this.#stages) stage.relink(keepsKv);
    this.#isSaving = keepsKv;
    for (const asked of waiting) this.#askAgain(asked);
  }

  #askAgain(asked: Asked): void {
    // its client may not have seen the last token that was drawn
    asked.drawn.length -= Math.min(asked.drawn.length, this.#random(2));
    const { generatedIds: _, ...request } = asked.request;
    asked.request = asked.drawn.length > 0 ? { ...request, generatedIds: [...asked.drawn] } : request;
    const { length } = asked.request.promptIds;
    while (this.#scheduler.waitingCount >= MAX_WAITING) this.#work();
    const add = () => this.#scheduler.add(asked.request);
    if (length + asked.drawn.length < this.#capacity) {
      add();
    } else {
      assert.throws(add, { code: 'kv_full' });
      asked.end = 'failed';
    }
  }

  /** The last stage draws, and tells the head and the clients. */
  #answer(
    stage: ModelStage,
    { step, ops }: ScheduledStep,
    failed: { session: number }[],
    sound: Row[],
    isLost: boolean,
  ): void {
    const sampled = sound
      .filter(({ sample }) => sample)
      .flatMap((row) => (row.guess === undefined || this.#isRight(row) ? this.#draw(stage, row) : []));
    for (const { session } of failed) {
      const isOpening = (op: SessionOp): op is OpenOp => op.op === 'open' && op.session === session;
      const asked = stage.requestOf(session) ?? this.#asked.get(ops.find(isOpening)?.requestId ?? '');
      if (asked) asked.end ??= 'failed';
      sampled.push({ session, token: undefined, outcome: 'failed' });
    }
    if (!isLost) this.#answers.push({ step, sampled });
  }

  #draw(stage: ModelStage, row: Row): SampledToken {
    const { session } = row;
    const asked = stage.requestOf(session) as Asked;
    const { request, drawn } = asked;
    assert.ok(
      asked.end === undefined || asked.end === 'cancelled',
      `${request.requestId} goes on after its end`,
    );
    assert.equal(row.position + row.count, request.promptIds.length + drawn.length, 'a token is drawn once');
    const { token, isStop } = this.#drawAt(request, drawn.length);
    drawn.push(token);
    const most = Math.min(request.maxTokens, this.#capacity - request.promptIds.length);
    const outcome = isStop ? 'stop' : drawn.length >= most ? 'length' : 'next';
    if (outcome !== 'next') asked.end ??= outcome;
    if (outcome === 'next') this.#newest.set(session, { token, position: row.position + row.count });
    else this.#newest.delete(session);
    return { session, token, outcome };
  }

  /** As a token is drawn: by its place and the request's seed, so the same whenever it is drawn. */
  #drawAt({ sampling: { seed } }: GenerateRequest, index: number): { token: number; isStop: boolean } {
    const uniform = randomNumbers(seed * 1_000 + index);
    return { token: Math.floor(uniform() * 3), isStop: uniform() < 1 / STOP_EVERY };
  }

  #ask(): void {
    if (this.#scheduler.waitingCount >= MAX_WAITING) return;
    const requestId = `r${this.#asked.size + 1}`;
    const promptIds = this.#prompt().slice(0, this.#capacity - 1);
    const sampling = { ...GREEDY, seed: this.#asked.size };
    const request = { requestId, promptIds, maxTokens: 1 + this.#random(300), stopIds: [], sampling };
    this.#scheduler.add(request);
    this.#asked.set(requestId, { request, drawn: [], end: undefined });
  }

  /** A text that others begin with, too, or the next turn of somebody's conversation. */
  #prompt(): number[] {
    const turn = Array.from({ length: 1 + this.#random(30) }, () => this.#random(3));
    const other = this.#asked.get(`r${1 + this.#random(this.#asked.size)}`);
    if (other && this.#random(2) === 0) return [...other.request.promptIds, ...other.drawn, ...turn];
    const text = 10 * (1 + this.#random(4));
    const isSoonFull = this.#random(3) > 0;
    const length = isSoonFull ? KV_BLOCK_TOKENS * (1 + this.#random(2)) - this.#random(60) : this.#random(60);
    return [...Array.from({ length }, (_, i) => text + (i % 7)), ...turn];
  }

  #cancel(): void {
    const live = [...this.#asked.values()].filter(({ end }) => end === undefined);
    const asked = live[this.#random(live.length)];
    if (!asked) return;
    asked.end = 'cancelled';
    this.#scheduler.cancel(asked.request.requestId);
  }
}
