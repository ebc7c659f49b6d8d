// What a stage knows of its sessions, and which rows and operations it refuses. Pure: the KV is a list of calls.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Fault, type SessionLimits, Sessions } from '../../../agent/engine/sessions.ts';
import type { OneSessionOp, Row, SessionSource } from '../../../agent/engine/step.ts';
import { KV_BLOCK_TOKENS } from '../../../protocol/limits.ts';
import { GREEDY } from '../../support/sampling.ts';

const BLOCK = KV_BLOCK_TOKENS;
const LIMITS: SessionLimits = { contextTokens: 4096, maxSessions: 4, kvTokens: 100 * BLOCK };

class Play {
  readonly sessions: Sessions;
  /** what was asked of the KV */
  readonly calls: string[] = [];

  constructor(limits: Partial<SessionLimits> = {}) {
    const store = {
      adopt: (id: number, { session, length, take }: SessionSource) => {
        if (length === 13) throw new Error('no memory');
        this.calls.push(`${id} ${take ? 'takes' : 'copies'} ${length} of ${session}`);
      },
      trim: (id: number, length: number) => void this.calls.push(`${id} trims to ${length}`),
      drop: (id: number) => void this.calls.push(`${id} drops`),
    };
    this.sessions = new Sessions({ ...LIMITS, ...limits }, store, () => 'layers 4–7');
  }

  open(session: number, from?: SessionSource): Fault | undefined {
    const requestId = `r${session}`;
    return this.apply({
      op: 'open',
      session,
      requestId,
      sampling: GREEDY,
      maxTokens: 9,
      stopIds: [],
      ...(from && { from }),
    });
  }

  apply(op: OneSessionOp): Fault | undefined {
    return this.sessions.apply(op);
  }

  /** A row that is sound, and computed. */
  write(session: number, position: number, count: number): void {
    assert.equal(this.check(session, position, count), undefined);
    this.sessions.grow(row(session, position, count));
  }

  check(session: number, position: number, count = 1): Fault | undefined {
    return this.sessions.check(row(session, position, count));
  }

  length(session: number): number | undefined {
    return this.sessions.get(session)?.length;
  }
}

const row = (session: number, position: number, count: number): Row => ({
  session,
  position,
  count,
  sample: false,
});

describe('a session', () => {
  test('grows with its rows, is kept without its request, and is dropped', () => {
    const play = new Play();
    assert.equal(play.open(1), undefined);
    play.write(1, 0, 5);
    play.write(1, 5, 1);
    assert.equal(play.length(1), 6);
    assert.equal(play.sessions.running, 1);
    play.apply({ op: 'keep', session: 1 });
    assert.equal(play.sessions.running, 0);
    assert.equal(play.length(1), 6, 'its KV stays');
    assert.match(play.check(1, 6)?.message ?? '', /^layers 4–7: session 1 is not open$/);
    play.apply({ op: 'drop', session: 1 });
    assert.equal(play.sessions.get(1), undefined);
    assert.deepEqual(play.calls, ['1 drops']);
  });

  test('begins with what another one has: a copied one stays, a taken one is gone', () => {
    const play = new Play();
    play.open(1);
    play.write(1, 0, 30);
    play.open(2, { session: 1, length: 20, take: false });
    play.write(2, 20, 5);
    assert.equal(play.length(1), 30);
    play.apply({ op: 'keep', session: 1 });
    play.open(3, { session: 1, length: 30, take: true });
    assert.deepEqual([play.length(1), play.length(2), play.length(3)], [undefined, 25, 30]);
    assert.deepEqual(play.calls.slice(0, 2), ['2 copies 20 of 1', '3 takes 30 of 1']);
  });

  test('that cannot take another one over ends that one all the same: the head counts it as gone', () => {
    for (const length of [13, 31]) {
      const play = new Play();
      play.open(1);
      play.write(1, 0, 30);
      play.apply({ op: 'keep', session: 1 });
      assert.equal(play.open(2, { session: 1, length, take: true })?.requestId, 'r2');
      assert.equal(play.sessions.get(1), undefined);
      assert.deepEqual(play.calls, ['1 drops']);
    }
  });

  test('that is taken over after a fault leaves nothing behind', () => {
    const play = new Play();
    play.open(1);
    play.write(1, 0, 30);
    play.sessions.fail(1, 'engine_failed', 'damaged');
    play.apply({ op: 'keep', session: 1 });
    assert.equal(play.open(2, { session: 1, length: 20, take: true }), undefined);
    assert.deepEqual([play.sessions.isFaulty(1), play.length(2)], [false, 20]);
  });

  test('that is trimmed goes on from there', () => {
    const play = new Play();
    play.open(1);
    play.write(1, 0, 30);
    assert.equal(play.apply({ op: 'trim', session: 1, length: 10 }), undefined);
    play.write(1, 10, 1);
    assert.deepEqual(play.calls, ['1 trims to 10']);
  });
});

describe('refused is', () => {
  const cases: [string, (play: Play) => Fault | undefined, Partial<Fault>][] = [
    [
      'a session that is open already',
      (play) => play.open(1),
      { message: 'layers 4–7: session 1 is open already', requestId: 'r1' },
    ],
    [
      'one session more than there may be',
      (play) => [2, 3, 4, 5].map((id) => play.open(id)).at(-1),
      { message: 'layers 4–7: no room for another session beside 4', requestId: 'r5' },
    ],
    [
      'a beginning that the source does not have',
      (play) => play.open(2, { session: 1, length: 31, take: false }),
      { message: 'layers 4–7: session 1 has no 31 tokens to begin session 2 with', requestId: 'r2' },
    ],
    [
      'a beginning whose KV cannot be had',
      (play) => play.open(2, { session: 1, length: 13, take: false }),
      { message: 'layers 4–7: no memory', requestId: 'r2' },
    ],
    [
      'a trim to more than there is',
      (play) => play.apply({ op: 'trim', session: 1, length: 31 }),
      { message: 'layers 4–7: session 1 has 30 tokens, not 31', requestId: 'r1' },
    ],
    [
      'a change of a session that is not there',
      (play) => play.apply({ op: 'keep', session: 7 }),
      { message: 'layers 4–7: session 7 is not open', requestId: undefined },
    ],
    [
      'a row that does not follow',
      (play) => play.check(1, 31),
      { message: 'layers 4–7: session 1 has 30 tokens, a row begins at 31', requestId: 'r1' },
    ],
    [
      'a row over the context',
      (play) => play.check(1, 30, 4067),
      { code: 'kv_full', message: 'layers 4–7: session 1 would exceed the context of 4096 tokens' },
    ],
  ];
  for (const [name, wrong, expected] of cases) {
    test(name, () => {
      const play = new Play();
      play.open(1);
      play.write(1, 0, 30);
      const fault = wrong(play);
      assert.deepEqual({ ...fault, ...expected }, fault);
      assert.equal(play.length(1), 30);
      assert.ok(play.sessions.isFaulty(fault?.session ?? 0));
    });
  }

  test('KV beyond the stage’s, in whole blocks of all sessions together, kept ones as well', () => {
    const play = new Play({ kvTokens: 3 * BLOCK });
    play.open(1);
    play.write(1, 0, 1);
    play.apply({ op: 'keep', session: 1 });
    play.open(2);
    play.write(2, 0, BLOCK + 1);
    play.write(2, BLOCK + 1, BLOCK - 1);
    const fault = play.check(2, 2 * BLOCK);
    assert.equal(fault?.code, 'kv_full');
    assert.equal(fault?.message, 'layers 4–7: no KV for 1 more tokens: it holds 768 in all');
  });
});

describe('a fault', () => {
  test('is told once, and the session stays out until it is dropped', () => {
    const play = new Play();
    play.open(1);
    const fault = play.sessions.fail(1, 'engine_failed', 'damaged');
    assert.deepEqual(fault, { session: 1, requestId: 'r1', code: 'engine_failed', message: 'damaged' });
    assert.equal(play.sessions.fail(1, 'engine_failed', 'again'), undefined);
    assert.equal(play.check(1, 5), undefined, 'a row that does not follow is no news');
    assert.equal(play.apply({ op: 'trim', session: 1, length: 0 }), undefined);
    assert.ok(play.sessions.isFaulty(1));
    play.apply({ op: 'drop', session: 1 });
    assert.ok(!play.sessions.isFaulty(1));
  });

  test('of a stage before is this stage’s as well, with the request that it belongs to', () => {
    const play = new Play();
    play.open(1);
    const fault = play.apply({ op: 'fail', session: 1, code: 'kv_full', message: 'layers 0–3: no KV' });
    assert.deepEqual(fault, {
      session: 1,
      requestId: 'r1',
      code: 'kv_full',
      message: 'layers 0–3: no KV',
    });
  });
});

describe('a stage that is told what stays', () => {
  const faultsOf = (faults: Fault[]) => faults.map(({ session, message }) => [session, message]);

  test('keeps the first tokens of the named ones without their requests, and nothing else', () => {
    const play = new Play();
    for (const id of [1, 2, 3]) {
      play.open(id);
      play.write(id, 0, 40);
    }
    play.calls.length = 0;
    const kept = [
      { session: 1, length: 40 },
      { session: 3, length: 20 },
    ];
    assert.deepEqual(play.sessions.sync(kept), []);
    assert.deepEqual(play.calls, ['2 drops', '1 trims to 40', '3 trims to 20']);
    assert.deepEqual([play.length(1), play.length(2), play.length(3)], [40, undefined, 20]);
    assert.equal(play.sessions.running, 0);
    assert.equal(play.open(4, { session: 3, length: 20, take: true }), undefined);
  });

  test('says of those that it has not, or has given up, that they cannot stay, as often as it is told', () => {
    const play = new Play();
    for (const id of [1, 2]) {
      play.open(id);
      play.write(id, 0, 40);
    }
    play.sessions.fail(2, 'engine_failed', 'damaged');
    const kept = [
      { session: 1, length: 41 },
      { session: 2, length: 40 },
      { session: 9, length: 20 },
    ];
    assert.deepEqual(faultsOf(play.sessions.sync(kept)), [
      [1, 'layers 4–7: session 1 has no 41 tokens'],
      [2, 'layers 4–7: session 2 was given up'],
      [9, 'layers 4–7: session 9 has no 20 tokens'],
    ]);
    assert.deepEqual(
      play.sessions.sync(kept).map(({ session }) => session),
      [1, 2, 9],
    );
    assert.deepEqual([play.length(1), play.length(2)], [undefined, undefined]);
    // their numbers are free
    assert.equal(play.open(2), undefined);
  });

  test('forgets all where it is told so', () => {
    const play = new Play();
    play.open(1);
    play.write(1, 0, 40);
    play.sessions.fail(7, 'engine_failed', 'x');
    play.sessions.clear();
    assert.deepEqual(
      [play.length(1), play.sessions.isFaulty(7), play.calls.at(-1)],
      [undefined, false, '1 drops'],
    );
  });
});
