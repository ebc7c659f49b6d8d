// What the scheduler does with KV, by transcripts: reuse, room, eviction, and sessions that pause.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Scheduler, type SchedulerOptions } from '../../../agent/stage/scheduler.ts';
import type { Sampling } from '../../../protocol/generate.ts';
import { KV_BLOCK_TOKENS, MAX_CONTINUED_OPENS } from '../../../protocol/limits.ts';
import { GREEDY } from '../../support/sampling.ts';
import { line } from '../../support/transcript.ts';

const BLOCK = KV_BLOCK_TOKENS;
const OPTIONS: SchedulerOptions = {
  stageCount: 1,
  prefillChunkTokens: 1024,
  maxChunkScores: 1e12,
  maxSessions: 8,
  maxWaiting: 8,
  maxRows: 16,
  kvTokens: 100 * BLOCK,
};

/** `count` tokens of a text of its own. */
const text = (seed: number, count: number) => Array.from({ length: count }, (_, i) => seed * 10_000 + i);

const REQUEST = { requestId: 'a', maxTokens: 1000, stopIds: [1], sampling: GREEDY };

class Play {
  readonly scheduler: Scheduler;

  constructor(options: Partial<SchedulerOptions> = {}, before?: Scheduler) {
    this.scheduler = new Scheduler({ ...OPTIONS, ...options }, before);
  }

  ask(requestId: string, promptIds: number[], maxTokens = 1000): void {
    this.scheduler.add({ requestId, promptIds, maxTokens, stopIds: [1], sampling: GREEDY });
  }

  /** All steps that can be in flight now; nobody answers them yet. */
  fly(): string[] {
    const lines: string[] = [];
    for (let step = this.scheduler.next(); step; step = this.scheduler.next()) lines.push(line(step));
    return lines;
  }

  /** A step comes back in which these sessions drew a token. */
  land(step: number, ...sessions: number[]): void {
    this.scheduler.complete(
      step,
      sessions.map((session) => ({ session, token: 50, outcome: 'next' as const })),
    );
  }

  /** One step, answered at once: each sampling row draws `token`, which ends the answer of the sessions named. */
  step(token = 50, ends: number[] = []): string {
    const step = this.scheduler.next();
    const drawn = (step?.rows ?? []).filter((row) => row.sample);
    if (step) {
      const outcome = (session: number) => (ends.includes(session) ? ('length' as const) : ('next' as const));
      this.scheduler.complete(
        step.step,
        drawn.map(({ session }) => ({ session, token, outcome: outcome(session) })),
      );
    }
    return line(step);
  }
}

describe('prefix reuse', () => {
  test('the next turn of a conversation takes over its KV and computes only what is new', () => {
    const play = new Play();
    play.ask('a', text(1, 100));
    assert.equal(play.step(50), '#1 +a s1@0×100!');
    assert.equal(play.step(51, [1]), '#2 s1@100×1!');
    // 51 was drawn but never went into a step: its KV does not exist
    play.ask('b', [...text(1, 100), 50, 51, ...text(2, 8)]);
    assert.equal(play.step(), '#3 =s1 +b(takes 101 of s1) s2@101×9!');
  });

  test('a prompt that leaves a kept conversation in the middle copies what both share', () => {
    const play = new Play();
    play.ask('a', text(1, 100));
    play.step(50, [1]);
    play.ask('b', [...text(1, 60), ...text(2, 10)]);
    assert.equal(play.step(50, [2]), '#2 =s1 +b(copies 60 of s1) s2@60×10!');
    play.ask('c', text(1, 100));
    assert.equal(play.step(), '#3 =s2 +c(copies 99 of s1) s3@99×1!', 'the last token is always computed');
  });

  test('conversations with one system prompt share it while they run', () => {
    const play = new Play();
    play.ask('a', [...text(1, 40), 7]);
    play.step();
    play.ask('b', [...text(1, 40), 8, 9]);
    assert.equal(play.step(), '#2 +b(copies 40 of s1) s1@41×1! s2@40×2!');
  });

  test('of a running prompt only what came back from all stages can be shared', () => {
    const play = new Play({ stageCount: 2, prefillChunkTokens: 32 });
    play.ask('a', text(1, 100));
    assert.deepEqual(play.fly(), ['#1 +a s1@0×32', '#2 s1@32×32']);
    play.land(1);
    play.ask('b', [...text(1, 100), 8]);
    assert.deepEqual(play.fly(), ['#3 +b(copies 32 of s1) s1@64×32']);
  });

  test('of a cancelled prompt only what came back from all stages is kept, but all that is written is counted', () => {
    const play = new Play({ stageCount: 2, kvTokens: 3 * BLOCK });
    play.ask('a', text(1, 600));
    assert.deepEqual(play.fly(), ['#1 +a s1@0×128', '#2 s1@128×128']);
    play.land(1);
    assert.deepEqual(play.fly(), ['#3 s1@256×128']);
    play.scheduler.cancel('a');
    assert.equal(play.scheduler.kvUse.keptTokens, 2 * BLOCK);
    play.ask('b', text(1, 300));
    play.land(2);
    assert.deepEqual(play.fly(), ['#4 =s1 +b(takes 128 of s1) s2@128×128']);
  });

  test('a fault that is found when its request is over already spoils what was kept of it', () => {
    const play = new Play({ stageCount: 2 });
    play.ask('a', text(1, 300));
    play.fly();
    play.land(1);
    play.scheduler.cancel('a');
    play.scheduler.complete(2, [{ session: 1, token: undefined, outcome: 'failed' }]);
    play.ask('b', text(1, 100));
    assert.equal(play.fly()[0], '#3 =s1 -s1 +b s2@0×100!');
    assert.equal(play.scheduler.kvUse.keptTokens, 0);
  });

  test('fewer common tokens than a copy is worth are computed', () => {
    const play = new Play();
    play.ask('a', text(1, 100));
    play.step(50, [1]);
    play.ask('b', [...text(1, 15), ...text(2, 10)]);
    assert.equal(play.step(), '#2 =s1 +b s2@0×25!');
  });

  test('a cancelled request leaves its KV to the next one, a failed one does not', () => {
    const play = new Play();
    play.ask('a', text(1, 100));
    play.step();
    play.scheduler.cancel('a');
    play.ask('b', [...text(1, 100), 50]);
    const step = play.scheduler.next();
    assert.equal(line(step), '#2 =s1 +b(takes 100 of s1) s2@100×1!');
    play.scheduler.complete(2, [{ session: 2, token: undefined, outcome: 'failed' }]);
    play.ask('c', text(1, 100));
    assert.equal(play.step(), '#3 -s2 +c s3@0×100!');
  });

  test('the same question again leaves one copy, not two', () => {
    const play = new Play();
    play.ask('a', text(1, 100));
    play.step(50, [1]);
    play.ask('b', text(1, 100));
    assert.equal(play.step(50, [2]), '#2 =s1 +b(copies 99 of s1) s2@99×1!');
    assert.equal(play.step(), '#3 -s2');
    assert.equal(play.scheduler.kvUse.keptTokens, BLOCK);
  });
});

describe('after a ring that broke', () => {
  /** Asks for a and b, of which b has a step in flight, and ends the ring there. */
  function broken(): Play {
    const play = new Play({ stageCount: 2 });
    play.ask('a', text(1, 100));
    assert.equal(play.step(50, [1]), '#1 +a s1@0×100!');
    play.ask('b', text(2, 40));
    assert.deepEqual(play.fly(), ['#2 =s1 +b s2@0×40!']);
    play.land(2, 2);
    assert.deepEqual(play.fly(), ['#3 s2@40×1!']);
    return play;
  }

  test('only what came back from all stages stays, and nothing begins before all have heard it', () => {
    const play = new Play({ stageCount: 2 }, broken().scheduler);
    play.ask('b', [...text(2, 40), 50]);
    assert.deepEqual(play.fly(), ['#1 sync(s1:100 s2:40)'], 'one step alone, though two have room');
    play.land(1);
    assert.deepEqual(play.fly(), ['#2 +b(takes 40 of s2) s3@40×1!']);
  });

  test('what a stage cannot keep, nobody keeps', () => {
    const play = new Play({ stageCount: 2 }, broken().scheduler);
    assert.deepEqual(play.fly(), ['#1 sync(s1:100 s2:40)']);
    play.scheduler.complete(1, [{ session: 2, token: undefined, outcome: 'failed' }]);
    play.ask('b', text(2, 41));
    assert.deepEqual(play.fly(), ['#2 -s2 +b s3@0×41!']);
  });

  test('it breaks again before all have heard it: the same is said again', () => {
    const play = new Play({ stageCount: 2 }, broken().scheduler);
    play.fly();
    const again = new Play({ stageCount: 2 }, play.scheduler);
    assert.deepEqual(again.fly(), ['#1 sync(s1:100 s2:40)']);
  });

  test('what the new room does not hold is given up, least recently used first', () => {
    const play = new Play({ stageCount: 2, kvTokens: BLOCK }, broken().scheduler);
    assert.deepEqual(play.fly(), ['#1 sync(s2:40)']);
    assert.deepEqual(play.scheduler.kvUse, { totalTokens: BLOCK, liveTokens: 0, keptTokens: BLOCK });
  });
});

describe('answers that began elsewhere', () => {
  const generatedIds = [50, 51, 50];

  test('are prefilled with what they have, and a few in one step', () => {
    const play = new Play({ prefillChunkTokens: 8 * 1024 });
    for (let i = 0; i <= MAX_CONTINUED_OPENS; i++)
      play.scheduler.add({ ...REQUEST, requestId: `r${i}`, promptIds: text(i, 30), generatedIds });
    const first = play.scheduler.next();
    assert.equal(line(first).split('+').length - 1, MAX_CONTINUED_OPENS);
    assert.match(line(first), / s1@0×33!$/);
  });

  test('tell the last stage how often each token is there, where a penalty needs it', () => {
    const play = new Play();
    const open = (sampling: Partial<Sampling>) => {
      play.scheduler.add({ ...REQUEST, promptIds: [7], generatedIds, sampling: { ...GREEDY, ...sampling } });
      const step = play.scheduler.next();
      play.scheduler.complete(step?.step ?? 0, []);
      const op = step?.ops.find(({ op }) => op === 'open');
      return op?.op === 'open' ? op.generated : undefined;
    };
    assert.deepEqual(open({}), { count: 3 });
    const counts = [
      [50, 2],
      [51, 1],
    ];
    for (const penalty of ['repetitionPenalty', 'presencePenalty', 'frequencyPenalty'])
      assert.deepEqual(open({ [penalty]: 1.5 }), { count: 3, counts });
  });

  test('do not fit where one more token does not', () => {
    const play = new Play({ kvTokens: BLOCK });
    const ask = (length: number) =>
      play.scheduler.add({ ...REQUEST, promptIds: text(1, length), generatedIds });
    assert.throws(() => ask(BLOCK - 3), { code: 'kv_full', message: /a prompt of 256 tokens does not fit/ });
    ask(BLOCK - 4);
  });
});

describe('room', () => {
  test('what is kept is given up, least recently used first, when a prompt needs the room', () => {
    const play = new Play({ kvTokens: 4 * BLOCK });
    for (const [seed, id] of ['a', 'b', 'c'].entries()) {
      play.ask(id, text(seed + 1, 100));
      play.step(50, [seed + 1]);
    }
    assert.equal(play.step(), '#4 =s3');
    assert.deepEqual(play.scheduler.kvUse, { totalTokens: 4 * BLOCK, liveTokens: 0, keptTokens: 3 * BLOCK });
    play.ask('d', [...text(1, 50), 3]);
    assert.equal(play.step(50, [4]), '#5 +d(copies 50 of s1) s4@50×1!');
    play.ask('e', text(5, 2 * BLOCK - 1));
    assert.equal(play.step(), '#6 =s4 -s2 -s3 +e s5@0×511!');
  });

  test('where a copy has no room, the kept session gives up its own end', () => {
    const play = new Play({ kvTokens: 2 * BLOCK });
    play.ask('a', text(1, 2 * BLOCK - 1));
    play.step(50, [1]);
    play.ask('b', [...text(1, 300), 8]);
    assert.equal(play.step(), '#2 =s1 +b(takes 300 of s1) s2@300×1!');
  });

  test('a prompt waits until others end, and later ones wait behind it', () => {
    const play = new Play({ kvTokens: 2 * BLOCK });
    play.ask('a', text(1, 200), 20);
    play.step();
    play.ask('b', text(2, 300), 20);
    play.ask('c', text(3, 10), 20);
    assert.equal(play.step(50, [1]), '#2 s1@200×1!');
    assert.equal(play.step(), '#3 =s1 -s1 +b s2@0×300!');
  });

  test('a stream that needs room takes it from the youngest, which goes on later with what it had drawn', () => {
    const play = new Play({ kvTokens: 2 * BLOCK });
    play.ask('a', text(1, BLOCK - 1));
    play.ask('b', text(2, 100));
    assert.equal(play.step(50), '#1 +a +b s1@0×255!');
    assert.equal(play.step(51), '#2 s1@255×1! s2@0×100!');
    assert.equal(play.step(52), '#3 s2:0 s1@256×1!', 's1 needs its second block');
    assert.equal(play.step(53, [1]), '#4 s1@257×1!');
    assert.equal(play.step(54), '#5 =s1 -s1 s2@0×101!', 'its prompt and the token that was drawn');
    assert.equal(play.step(), '#6 s2@101×1!');
  });

  test('a stream that finds no room and then pauses for an older one waits once, not twice', () => {
    const play = new Play({ kvTokens: 2 * BLOCK, prefillChunkTokens: 4096 });
    play.ask('a', text(1, BLOCK - 2));
    play.ask('b', text(2, BLOCK - 1));
    play.step();
    play.step();
    assert.deepEqual(play.fly(), ['#3 s1@255×1! s2@255×1!']);
    play.land(3, 2, 1);
    assert.equal(play.step(51, [1]), '#4 s2:0 s1@256×1!', 'both need a second block');
    assert.equal(play.step(), '#5 =s1 -s1 s2@0×257!');
    assert.equal(play.step(), '#6 s2@257×1!');
  });

  test('the youngest stream pauses even if its token is on its way: an older one does not go in its place', () => {
    const play = new Play({ stageCount: 2, kvTokens: 3 * BLOCK, maxRows: 2 });
    play.ask('a', text(1, BLOCK - 1));
    assert.deepEqual(play.fly(), ['#1 +a s1@0×128', '#2 s1@128×127!']);
    play.ask('b', text(2, 20));
    play.ask('c', text(3, 20));
    play.land(1);
    assert.deepEqual(play.fly(), ['#3 +b +c s2@0×20!']);
    play.land(2, 1);
    assert.deepEqual(play.fly(), ['#4 s1@255×1! s3@0×20!']);
    play.land(3, 2);
    assert.deepEqual(play.fly(), ['#5 s2@20×1!']);
    play.land(4, 3, 1);
    assert.deepEqual(play.fly(), ['#6 s3@20×1!']);
    play.land(5, 2);
    assert.deepEqual(play.fly(), ['#7 s2@21×1!'], 's1 needs a block, and s3 is on its way');
    play.land(6, 3);
    assert.deepEqual(play.fly(), ['#8 s3:0 s1@256×1!']);
  });

  test('a prompt that no stage could ever hold is refused, and an answer ends where the KV does', () => {
    const play = new Play({ kvTokens: 2 * BLOCK });
    assert.throws(() => play.ask('a', text(1, 2 * BLOCK)), { code: 'kv_full', message: /KV for 512/ });
    play.ask('b', text(1, 2 * BLOCK - 5), 1000);
    const step = play.scheduler.next();
    const [open] = step?.ops ?? [];
    assert.equal(open?.op === 'open' && open.maxTokens, 5);
  });

  test('everybody’s tokens are counted right after any number of conversations', () => {
    const play = new Play({ kvTokens: 7 * BLOCK, prefillChunkTokens: 128 });
    let asked = 0;
    for (let round = 0; round < 600; round++) {
      if (round % 3 === 0 && play.scheduler.waitingCount < 8) {
        asked += 1;
        play.ask(`r${asked}`, text(asked % 5, 20 + ((asked * 97) % 700)), 1 + ((asked * 13) % 200));
      }
      if (round % 17 === 0) play.scheduler.cancel(`r${asked - 1}`);
      play.step(1_000_000 + round, round % 4 === 0 ? [asked % 9, asked - 2, asked - 5] : []);
      const { totalTokens, liveTokens, keptTokens } = play.scheduler.kvUse;
      assert.ok(liveTokens >= 0 && keptTokens >= 0 && liveTokens + keptTokens <= totalTokens);
    }
    for (let i = 0; i <= asked; i++) play.scheduler.cancel(`r${i}`);
    play.step();
    assert.equal(play.scheduler.sessionCount, 0);
    assert.equal(play.scheduler.kvUse.liveTokens, 0);
  });
});
