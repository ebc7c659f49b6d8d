// The scheduler by transcripts: what goes in, which steps come out.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type ScheduledStep, Scheduler, type SchedulerOptions } from '../../../agent/stage/scheduler.ts';
import type { Sampling } from '../../../protocol/generate.ts';
import { GREEDY } from '../../support/sampling.ts';
import { line } from '../../support/transcript.ts';

const LIMITS: SchedulerOptions = {
  stageCount: 2,
  prefillChunkTokens: 4,
  maxChunkScores: 1e12,
  maxSessions: 8,
  maxWaiting: 8,
  maxRows: 16,
  kvTokens: 1 << 20,
};

function request(requestId: string, promptTokens: number) {
  const promptIds = Array.from({ length: promptTokens }, (_, i) => 10 + i);
  return { requestId, promptIds, maxTokens: 100, stopIds: [1], sampling: GREEDY };
}

/** All steps that can be run now. */
function drain(scheduler: Scheduler): string[] {
  const lines: string[] = [];
  for (let step = scheduler.next(); step; step = scheduler.next()) lines.push(line(step));
  return lines;
}

const next = (session: number, token = 50) => ({ session, token, outcome: 'next' }) as const;

describe('scheduler', () => {
  test('a prompt goes out in chunks that do not wait for each other, as many as there are stages', () => {
    const scheduler = new Scheduler(LIMITS);
    scheduler.add(request('a', 10));
    assert.deepEqual(drain(scheduler), ['#1 +a s1@0×4', '#2 s1@4×4']);
    scheduler.complete(1, []);
    assert.deepEqual(drain(scheduler), ['#3 s1@8×2!']);
    scheduler.complete(2, []);
    assert.deepEqual(drain(scheduler), [], 'the next token is not known yet');
    scheduler.complete(3, [next(1)]);
    assert.deepEqual(drain(scheduler), ['#4 s1@10×1!']);
  });

  test('the ids of a step are those of its rows, in order', () => {
    const scheduler = new Scheduler({ ...LIMITS, stageCount: 1 });
    scheduler.add(request('a', 2));
    assert.deepEqual(scheduler.next()?.ids, [10, 11]);
    scheduler.complete(1, [next(1, 77)]);
    scheduler.add(request('b', 5));
    const step = scheduler.next();
    assert.equal(line(step), '#2 +b s1@2×1! s2@0×1');
    assert.deepEqual(step?.ids, [77, 10]);
  });

  test('the prompt goes along, each token once, where the last stage needs it for a repetition penalty', () => {
    const scheduler = new Scheduler(LIMITS);
    const promptIds = [9, 4, 9, 300, 4];
    const ask = (requestId: string, options: Partial<Sampling>) =>
      scheduler.add({ ...request(requestId, 1), promptIds, sampling: { ...GREEDY, ...options } });
    ask('a', { repetitionPenalty: 1.2 });
    ask('b', { repetitionPenalty: 1, presencePenalty: 1, frequencyPenalty: 1, minTokens: 3 });
    const [first, second] = scheduler.next()?.ops ?? [];
    assert.deepEqual(first?.op === 'open' && first.promptIds, [4, 9, 300]);
    assert.ok(second?.op === 'open' && !('promptIds' in second));
  });

  test('a long prompt never holds up running streams for more than one chunk', () => {
    const scheduler = new Scheduler({ ...LIMITS, stageCount: 1 });
    scheduler.add(request('a', 1));
    drain(scheduler);
    scheduler.complete(1, [next(1)]);
    scheduler.add(request('b', 100));
    for (let round = 0; round < 20; round++) {
      const step = scheduler.next() as ScheduledStep;
      assert.equal(step.rows[0]?.session, 1, line(step));
      scheduler.complete(step.step, [next(1)]);
    }
  });

  test('beside a running stream chunks are an eighth as long, alone again whole', () => {
    const scheduler = new Scheduler({ ...LIMITS, stageCount: 1, prefillChunkTokens: 32 });
    scheduler.add(request('a', 1));
    drain(scheduler);
    scheduler.add(request('b', 100));
    scheduler.complete(1, [next(1)]);
    assert.deepEqual(drain(scheduler), ['#2 +b s1@1×1! s2@0×4']);
    scheduler.complete(2, [{ session: 1, token: 1, outcome: 'stop' }]);
    assert.deepEqual(drain(scheduler), ['#3 -s1 s2@4×32']);
  });

  test('two long prompts take turns', () => {
    const scheduler = new Scheduler({ ...LIMITS, stageCount: 4 });
    scheduler.add(request('a', 12));
    scheduler.add(request('b', 12));
    assert.deepEqual(drain(scheduler), ['#1 +a +b s1@0×4', '#2 s2@0×4', '#3 s1@4×4', '#4 s2@4×4']);
  });

  test('decoding sessions spread over the steps in flight, so that no stage is left without work', () => {
    const scheduler = new Scheduler(LIMITS);
    for (const id of ['a', 'b', 'c', 'd']) scheduler.add(request(id, 1));
    assert.deepEqual(drain(scheduler), ['#1 +a +b +c +d s1@0×1!', '#2 s2@0×1!']);
    scheduler.complete(1, [next(1)]);
    scheduler.complete(2, [next(2)]);
    assert.deepEqual(drain(scheduler), ['#3 s1@1×1! s3@0×1!', '#4 s2@1×1! s4@0×1!']);
    scheduler.complete(3, [next(1), next(3)]);
    assert.deepEqual(drain(scheduler), ['#5 s1@2×1! s3@1×1!']);
  });

  test('a finished session is dropped with the next step, or alone when there is no other', () => {
    const scheduler = new Scheduler(LIMITS);
    scheduler.add(request('a', 1));
    drain(scheduler);
    scheduler.complete(1, [{ session: 1, token: 1, outcome: 'stop' }]);
    assert.deepEqual(drain(scheduler), ['#2 -s1']);
    scheduler.complete(2, []);
    assert.deepEqual(drain(scheduler), []);
    assert.equal(scheduler.sessionCount, 0);
  });

  test('a cancelled request leaves with the next step, and tokens that were on their way are ignored', () => {
    const scheduler = new Scheduler(LIMITS);
    scheduler.add(request('a', 1));
    drain(scheduler);
    scheduler.cancel('a');
    assert.deepEqual(drain(scheduler), ['#2 -s1']);
    scheduler.complete(1, [next(1)]);
    scheduler.complete(2, []);
    assert.deepEqual(drain(scheduler), []);
  });

  test('a request that is cancelled while it waits never becomes a session', () => {
    const scheduler = new Scheduler({ ...LIMITS, maxSessions: 1 });
    scheduler.add(request('a', 1));
    scheduler.add(request('b', 1));
    drain(scheduler);
    scheduler.cancel('b');
    assert.equal(scheduler.waitingCount, 0);
    scheduler.complete(1, [{ session: 1, token: 1, outcome: 'stop' }]);
    assert.deepEqual(drain(scheduler), ['#2 -s1']);
  });

  test('requests over the number of sessions wait, and the queue has an end', () => {
    const scheduler = new Scheduler({ ...LIMITS, maxSessions: 1, maxWaiting: 2 });
    scheduler.add(request('a', 1));
    drain(scheduler);
    scheduler.add(request('b', 1));
    scheduler.add(request('c', 1));
    assert.throws(() => scheduler.add(request('d', 1)), { code: 'queue_full' });
    scheduler.complete(1, [{ session: 1, token: undefined, outcome: 'failed' }]);
    assert.deepEqual(drain(scheduler), ['#2 -s1 +b s2@0×1!']);
  });

  test('what nobody waits for begins after all others, and its prompt gives way to theirs', () => {
    const scheduler = new Scheduler({ ...LIMITS, stageCount: 1 });
    scheduler.add({ ...request('job', 8), isBackground: true });
    scheduler.add(request('a', 8));
    assert.deepEqual(drain(scheduler), ['#1 +a +job s1@0×4']);
    scheduler.complete(1, []);
    assert.deepEqual(drain(scheduler), ['#2 s1@4×4!']);
    scheduler.complete(2, [next(1)]);
    scheduler.add(request('b', 4));
    const order: string[] = [];
    for (let step = scheduler.next(); step && order.length < 6; step = scheduler.next()) {
      const [, chunk] = step.rows;
      order.push(`s${chunk?.session}@${chunk?.position}`);
      scheduler.complete(step.step, [next(1)]);
    }
    assert.deepEqual(order, ['s3@0', 's3@1', 's3@2', 's3@3', 's2@0', 's2@1']);
  });

  test('what nobody waits for never takes all sessions', () => {
    const scheduler = new Scheduler(LIMITS);
    for (let job = 0; job < LIMITS.maxSessions; job++) {
      scheduler.add({ ...request(`job-${job}`, 1), isBackground: true });
    }
    scheduler.next();
    assert.equal(scheduler.sessionCount, LIMITS.maxSessions / 4);
    scheduler.add(request('a', 1));
    scheduler.next();
    assert.equal(scheduler.sessionCount, LIMITS.maxSessions / 4 + 1);
  });
});
