// The scheduler against a model of the stages: random requests, answers, cancels and faults, in any order that a ring
// allows, with room for a few blocks of KV only. What every stage then holds is compared with what it ought to hold.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { OpenOp } from '../../../agent/engine/sessions.ts';
import type { Row, SessionOp } from '../../../agent/engine/step.ts';
import type { SampledToken } from '../../../agent/stage/frame.ts';
import { type ScheduledStep, Scheduler, type SchedulerOptions } from '../../../agent/stage/scheduler.ts';
import { KV_BLOCK_TOKENS, MAX_ROWS, MAX_STEP_OPS } from '../../../protocol/limits.ts';
import { type Asked, type ModelContext, ModelStage } from '../../support/model-stage.ts';
import { GREEDY, randomNumbers } from '../../support/sampling.ts';

/** One answer in so many ends at each token. */
const STOP_EVERY = 200;
const SEEDS = 8;

interface Setting extends Pick<SchedulerOptions, 'stageCount' | 'maxSessions' | 'prefillChunkTokens'> {
  blocks: number;
  /** chance of a fault, before and after a row */
  faults: number;
  seed: number;
}

type Random = (below: number) => number;

class Ring {
  readonly #context: ModelContext;
  readonly #random: Random;
  readonly #scheduler: Scheduler;
  readonly #stages: ModelStage[];
  readonly #answers: { step: number; sampled: SampledToken[] }[] = [];
  readonly #asked = new Map<string, Asked>();
  readonly #capacity: number;
  pauses = 0;

  constructor(setting: Setting) {
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
    const { stageCount, maxSessions, prefillChunkTokens } = setting;
    this.#scheduler = new Scheduler({
      stageCount,
      maxSessions,
      prefillChunkTokens,
      maxChunkScores: 1e12,
      maxWaiting: 6,
      maxRows: 8,
      kvTokens: this.#capacity,
    });
    this.#stages = Array.from({ length: stageCount }, () => new ModelStage(this.#context));
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
    for (const { step, sampled } of this.#answers.splice(0)) this.#scheduler.complete(step, sampled);
    const step = this.#scheduler.next();
    if (!step) return false;
    this.pauses += step.ops.filter(({ op }) => op === 'trim').length;
    assert.ok(step.rows.length <= MAX_ROWS && step.ops.length <= MAX_STEP_OPS);
    this.#stages[0]?.queue.push(step);
    this.#stageTurn(0);
    return true;
  }

  #stageTurn(place: number): void {
    const stage = this.#stages[place] as ModelStage;
    const step = stage.queue.shift();
    if (!step) return;
    const { ops, failed, sound } = stage.run(step);
    const next = this.#stages[place + 1];
    if (next) next.queue.push({ ...step, ops });
    else this.#answer(stage, step, failed, sound);
  }

  /** The last stage draws, and tells the head and the clients. */
  #answer(stage: ModelStage, { step, ops }: ScheduledStep, failed: SessionOp[], sound: Row[]): void {
    const sampled = sound.filter(({ sample }) => sample).map((row) => this.#draw(stage, row));
    for (const { session } of failed) {
      const isOpening = (op: SessionOp): op is OpenOp => op.op === 'open' && op.session === session;
      const asked = stage.requestOf(session) ?? this.#asked.get(ops.find(isOpening)?.requestId ?? '');
      if (asked) asked.end ??= 'failed';
      sampled.push({ session, token: undefined, outcome: 'failed' });
    }
    this.#answers.push({ step, sampled });
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
    const token = this.#random(3);
    drawn.push(token);
    const most = Math.min(request.maxTokens, this.#capacity - request.promptIds.length);
    const isStop = this.#random(STOP_EVERY) === 0;
    const outcome = isStop ? 'stop' : drawn.length >= most ? 'length' : 'next';
    if (outcome !== 'next') asked.end ??= outcome;
    return { session, token, outcome };
  }

  #ask(): void {
    if (this.#scheduler.waitingCount >= 6) return;
    const requestId = `r${this.#asked.size + 1}`;
    const promptIds = this.#prompt().slice(0, this.#capacity - 1);
    const request = { requestId, promptIds, maxTokens: 1 + this.#random(300), stopIds: [], sampling: GREEDY };
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

const SETTINGS: Omit<Setting, 'seed' | 'faults'>[] = [
  { stageCount: 1, blocks: 3, maxSessions: 8, prefillChunkTokens: 512 },
  { stageCount: 2, blocks: 4, maxSessions: 8, prefillChunkTokens: 64 },
  { stageCount: 3, blocks: 6, maxSessions: 4, prefillChunkTokens: 128 },
  { stageCount: 5, blocks: 5, maxSessions: 16, prefillChunkTokens: 256 },
];

for (const faults of [0, 0.002]) {
  describe(faults === 0 ? 'nothing goes wrong by itself' : 'a fault costs its own request only', () => {
    for (const setting of SETTINGS) {
      const { stageCount, blocks } = setting;
      test(`${stageCount} stages, ${blocks} blocks of KV`, () => {
        const ends = new Set<Asked['end']>();
        let pauses = 0;
        for (let seed = 1; seed <= SEEDS; seed++) {
          const ring = new Ring({ ...setting, faults, seed });
          for (let round = 0; round < 3; round++) {
            for (let i = 0; i < 600 * stageCount; i++) ring.act();
            ring.rest();
          }
          for (const end of ring.ends) ends.add(end);
          pauses += ring.pauses;
        }
        const expected = ['cancelled', 'length', 'stop', ...(faults > 0 ? ['failed'] : [])];
        assert.deepEqual([...ends].sort(), expected.sort());
        assert.ok(pauses > 10, `sessions paused ${pauses} times`);
      });
    }
  });
}
