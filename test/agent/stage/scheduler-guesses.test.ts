// Guessed rows by transcripts: when they are sent, what a drawn token makes of them, and what all stages are told.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Scheduler, type SchedulerOptions } from '../../../agent/stage/scheduler.ts';
import { GREEDY } from '../../support/sampling.ts';
import { line } from '../../support/transcript.ts';

const LIMITS: SchedulerOptions = {
  stageCount: 3,
  prefillChunkTokens: 64,
  maxChunkScores: 1e12,
  maxSessions: 8,
  maxWaiting: 8,
  maxRows: 16,
  kvTokens: 1 << 20,
};

const next = (token: number, session = 1) => ({ session, token, outcome: 'next' }) as const;

/** A scheduler whose only source guesses what the test says. */
class Play {
  readonly scheduler: Scheduler;

  constructor(options: Partial<SchedulerOptions> = {}) {
    this.scheduler = new Scheduler({ ...LIMITS, ...options });
  }

  ask(requestId: string, promptTokens: number, maxTokens = 100): void {
    const promptIds = Array.from({ length: promptTokens }, (_, i) => 10 + i);
    this.scheduler.add({ requestId, promptIds, maxTokens, stopIds: [1], sampling: GREEDY });
  }

  /** All real steps that can be run now. */
  real(): string[] {
    const lines: string[] = [];
    for (let step = this.scheduler.next(); step; step = this.scheduler.next()) lines.push(line(step));
    return lines;
  }

  /** A step of guesses, where one is wished for. */
  guess(...ids: number[]): string {
    const wish = this.scheduler.guessWish();
    if (!wish) return 'no wish';
    const begin = wish.tokens.length + wish.guessed.length;
    return line(this.scheduler.nextGuess({ ...wish, begin }, ids));
  }

  /** What became of a step, by request: the token and what it says of a guess. */
  land(step: number, ...tokens: ReturnType<typeof next>[]): string[] {
    return this.scheduler
      .complete(step, tokens)
      .map(
        ({ requestId, token, verdict, isOver }) => `${requestId} ${token} ${verdict}${isOver ? ' over' : ''}`,
      );
  }

  get cancelled(): string[] {
    return this.scheduler.takeCancelled().map(({ session, position }) => `s${session}@${position}`);
  }
}

describe('guesses', () => {
  test('take the slots behind the real row, one a step, as long as there are empty ones', () => {
    const play = new Play();
    play.ask('a', 4);
    assert.deepEqual(play.real(), ['#1 +a s1@0×4!']);
    assert.equal(play.guess(50), '#2 s1@4×1?50');
    assert.equal(play.guess(51), '#3 s1@5×1?51');
    assert.equal(play.guess(52), 'no wish', 'three steps for three stages');
  });

  test('that are right are the next rows: nothing is sent again, nothing is trimmed', () => {
    const play = new Play();
    play.ask('a', 4);
    play.real();
    play.guess(50);
    play.guess(51);
    assert.deepEqual(play.land(1, next(50)), ['a 50 right']);
    assert.deepEqual(play.real(), []);
    assert.equal(play.guess(52), '#4 s1@6×1?52');
    assert.deepEqual(play.land(2, next(51)), ['a 51 right']);
    assert.deepEqual(play.land(3, next(52)), ['a 52 right']);
    assert.deepEqual(play.land(4, next(53)), ['a 53 none']);
    assert.deepEqual(play.real(), ['#5 s1@7×1!']);
    assert.deepEqual(play.cancelled, []);
  });

  test('that are wrong go with all behind them: cancelled at once, trimmed in the step of the right row', () => {
    const play = new Play();
    play.ask('a', 4);
    play.real();
    play.guess(50);
    play.guess(51);
    assert.deepEqual(play.land(1, next(60)), ['a 60 wrong']);
    assert.deepEqual(play.cancelled, ['s1@4']);
    assert.deepEqual(play.real(), ['#4 s1:4 s1@4×1!']);
    assert.deepEqual(play.land(2), [], 'nobody drew for it');
    assert.equal(play.guess(61), '#5 s1@5×1?61');
    assert.deepEqual(play.land(3), []);
    assert.deepEqual(play.land(4, next(61)), ['a 61 right']);
    assert.deepEqual(play.land(5, next(62)), ['a 62 none']);
  });

  test('several in one step are judged one after the other', () => {
    const play = new Play();
    play.ask('a', 4);
    play.real();
    assert.equal(play.guess(50, 51, 52), '#2 s1@4×1?50 s1@5×1?51 s1@6×1?52');
    assert.deepEqual(play.land(1, next(50)), ['a 50 right']);
    assert.deepEqual(play.land(2, next(51), next(99)), ['a 51 right', 'a 99 wrong']);
    assert.deepEqual(play.cancelled, ['s1@6']);
    assert.deepEqual(play.real(), ['#3 s1:6 s1@6×1!']);
  });

  test('come after everything real: another request takes the next slot, and as many as stages leave none', () => {
    const play = new Play();
    play.ask('a', 4);
    play.real();
    play.guess(50);
    play.ask('b', 4);
    assert.deepEqual(play.real(), ['#3 +b s2@0×4!']);
    play.land(1, next(50));
    assert.equal(play.guess(51), '#4 s1@5×1?51');
    play.land(2, next(51));
    play.guess(52);
    play.land(3, next(70, 2));
    assert.deepEqual(play.real(), ['#6 s2@4×1!']);
    play.land(4, next(60));
    assert.deepEqual(play.real(), ['#7 s1:6 s1@6×1!']);
    play.land(5);
    assert.equal(play.guess(61), '#8 s1@7×1?61');
    play.land(6, next(71, 2));
    play.real();
    play.land(7, next(61));
    assert.equal(play.guess(72), '#10 s1@8×1?72', 'both have none on their way: the older one');
    play.ask('c', 4);
    play.land(8, next(72));
    assert.deepEqual(play.real(), ['#11 +c s3@0×4!']);
    play.land(9, next(80, 2));
    assert.deepEqual(play.real(), ['#12 s2@6×1!']);
    play.land(10, next(90));
    play.land(11, next(91, 3));
    assert.deepEqual(play.real().length, 2);
    play.land(12, next(81, 2));
    assert.equal(play.guess(73), 'no wish', 'three streams fill three stages');
  });

  test('are never sent behind the last token that an answer may have', () => {
    const play = new Play();
    play.ask('a', 4, 3);
    play.real();
    assert.equal(play.guess(50, 51, 52), 'nothing');
    assert.equal(play.guess(50, 51), '#2 s1@4×1?50 s1@5×1?51');
    assert.equal(play.guess(52), 'no wish');
    const last = { session: 1, token: 52, outcome: 'length' } as const;
    play.land(1, next(50));
    assert.deepEqual(play.scheduler.complete(2, [next(51), last]).at(-1)?.isOver, true);
    assert.deepEqual(play.real(), ['#3 -s1']);
  });

  test('that come too late are forgotten', () => {
    const play = new Play();
    play.ask('a', 4);
    play.real();
    const wish = play.scheduler.guessWish();
    assert.equal(wish?.tokens.length, 4);
    play.land(1, next(60));
    const late = (session: number, ...ids: number[]) =>
      line(play.scheduler.nextGuess({ session, begin: 4, cuts: 0 }, ids));
    assert.equal(late(1, 60, 61), 'nothing', 'the real row comes first');
    play.real();
    assert.equal(late(1, 50, 51), 'nothing', 'another token was drawn');
    assert.equal(late(1, 60), 'nothing', 'there is nothing left of it');
    assert.equal(late(9, 60, 61), 'nothing', 'of nobody');
    assert.equal(late(1, 60, 61), '#3 s1@5×1?61', 'the rest, where the beginning was right');
    play.land(2, next(99));
    play.real();
    assert.equal(late(1, 60, 99, 62), 'nothing', 'made before a cut');
  });

  test('of an answer that stops are trimmed before it is kept, so that all stages hold the same of it', () => {
    const play = new Play();
    play.ask('a', 20);
    play.real();
    play.guess(50);
    play.guess(51);
    play.scheduler.complete(1, [{ session: 1, token: 1, outcome: 'stop' }]);
    assert.deepEqual(play.cancelled, ['s1@20']);
    assert.deepEqual(play.real(), ['#4 s1:20 =s1']);
    play.land(2);
    play.land(3);
    assert.deepEqual(play.scheduler.kvUse.liveTokens, 0);
    play.ask('b', 24);
    assert.deepEqual(play.real(), ['#5 +b(takes 20 of s1) s2@20×4!']);
  });

  test('of a cancelled request are trimmed to what surely came through', () => {
    const play = new Play();
    play.ask('a', 20);
    play.real();
    play.land(1, next(50));
    play.real();
    play.guess(51);
    play.scheduler.cancel('a');
    assert.deepEqual(play.cancelled, ['s1@20']);
    assert.deepEqual(play.real(), ['#4 s1:20 =s1']);
    assert.deepEqual(play.land(2, next(51)), []);
    assert.deepEqual(play.land(3, next(52)), []);
    assert.equal(play.scheduler.sessionCount, 0);
  });

  test('a right one that a stage could not compute is sent again as a real row', () => {
    const play = new Play();
    play.ask('a', 4);
    play.real();
    play.guess(50);
    play.guess(51);
    play.land(1, next(50));
    assert.deepEqual(play.land(2), []);
    assert.deepEqual(play.real(), ['#4 s1:4 s1@4×1!']);
    assert.deepEqual(play.land(3), []);
    assert.deepEqual(play.land(4, next(51)), ['a 51 none']);
  });

  test('take only KV that is free: nothing that is kept goes for them', () => {
    const play = new Play({ kvTokens: 512, prefillChunkTokens: 512 });
    play.ask('a', 100);
    play.real();
    play.scheduler.complete(1, [{ session: 1, token: 1, outcome: 'stop' }]);
    assert.deepEqual(play.real(), ['#2 =s1']);
    play.land(2);
    const promptIds = Array.from({ length: 255 }, (_, i) => 500 + i);
    play.scheduler.add({ requestId: 'b', promptIds, maxTokens: 50, stopIds: [1], sampling: GREEDY });
    assert.deepEqual(play.real(), ['#3 +b s2@0×128', '#4 s2@128×127!']);
    assert.equal(play.guess(50), '#5 s2@255×1?50');
    play.land(3);
    assert.equal(play.guess(51), 'nothing', 'it would be the first of another block');
    assert.equal(play.scheduler.kvUse.keptTokens, 256);
  });

  test('are not wished for by a ring of one stage', () => {
    const play = new Play({ stageCount: 1 });
    play.ask('a', 4);
    play.real();
    assert.equal(play.guess(50), 'no wish');
  });
});
