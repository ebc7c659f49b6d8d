// Steps that MLX would not survive are refused before it sees them, and only the session that they belong to is lost.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Engine } from '../../../agent/engine/engine.ts';
import { mx } from '../../../agent/engine/mlx.ts';
import type { Fault } from '../../../agent/engine/sessions.ts';
import type { Row } from '../../../agent/engine/step.ts';
import { StageChain } from '../../support/stages.ts';

const WHOLE = { start: 0, end: 12 };

interface Pair {
  chain: StageChain;
  engine: Engine;
  good: Row;
  bad: Row;
}

/** Two sessions of two tokens each, on a model with a context of 8. */
async function pair(): Promise<Pair> {
  const chain = await StageChain.load([WHOLE], undefined, 8);
  const [good, bad] = [chain.open(), chain.open()];
  const rows = [good, bad].map(({ session }) => ({ session, position: 0, count: 2, sample: true }));
  await chain.forward(rows, [5, 6, 5, 6], [good.op, bad.op]);
  const next = { position: 2, count: 1, sample: true };
  return {
    chain,
    engine: chain.last,
    good: { session: good.session, ...next },
    bad: { session: bad.session, ...next },
  };
}

/** Runs a good and a bad row in one step: the good one is drawn as if it were alone. */
async function beside({ engine, good }: Pair, bad: Row, ids: number[]): Promise<Fault[]> {
  const rows = [good, bad];
  const { hidden, faults } = await engine.run(rows, [7, ...ids]);
  assert.deepEqual(hidden.shape, [1 + bad.count, engine.hiddenSize]);
  const drawn = await engine.sample(rows, hidden);
  assert.deepEqual(drawn.faults, []);
  assert.deepEqual(
    drawn.sampled.map(({ session, token }) => ({ session, token })),
    [{ session: good.session, token: await tokenAlone() }],
  );
  return faults;
}

let alone: Promise<number> | undefined;

/** What the good row draws where no bad one shares its step: the same for every case. */
function tokenAlone(): Promise<number> {
  alone ??= pair().then(async ({ chain, good }) => {
    const [sampled] = await chain.step([good], [7]);
    return sampled?.token as number;
  });
  return alone;
}

describe('a row that cannot be computed costs its own session alone:', () => {
  const cases: [string, (bad: Row) => { row: Row; ids: number[] }, RegExp][] = [
    [
      'a session that is not open',
      (bad) => ({ row: { ...bad, session: 99 }, ids: [5] }),
      /session 99 is not open/,
    ],
    [
      'a position that is not the next',
      (bad) => ({ row: { ...bad, position: 3 }, ids: [5] }),
      /layers 0–11: session 2 has 2 tokens, a row begins at 3/,
    ],
    [
      'a token id past the vocabulary',
      (bad) => ({ row: bad, ids: [1024] }),
      /1024 is not in the vocabulary of 1024/,
    ],
    ['a negative token id', (bad) => ({ row: bad, ids: [-1] }), /-1 is not in the vocabulary/],
    ['a broken token id', (bad) => ({ row: bad, ids: [1.5] }), /1\.5 is not in the vocabulary/],
    [
      'more tokens than the context',
      (bad) => ({ row: { ...bad, count: 7 }, ids: [1, 2, 3, 4, 5, 6, 7] }),
      /exceed the context of 8/,
    ],
  ];
  for (const [name, make, message] of cases) {
    test(name, async () => {
      const both = await pair();
      const { row, ids } = make(both.bad);
      const [fault, ...more] = await beside(both, row, ids);
      assert.deepEqual(more, []);
      assert.equal(fault?.session, row.session);
      assert.match(fault?.message ?? '', message);
      assert.equal(fault?.requestId, row.session === 99 ? undefined : 'r2');
    });
  }
});

test('a session that failed is not computed again until it is dropped, and its fault is told once', async () => {
  const both = await pair();
  const { engine, bad } = both;
  await beside(both, bad, [1024]);
  const { hidden, faults } = await engine.run([bad], [7]);
  assert.deepEqual(faults, []);
  assert.deepEqual((await engine.sample([bad], hidden)).sampled, []);
  engine.apply([{ op: 'drop', session: bad.session }]);
  assert.match((await engine.run([bad], [7])).faults[0]?.message ?? '', /is not open/);
});

test('an input of the wrong shape fails the sessions of its step, and no other', async () => {
  const { engine, good, bad } = await pair();
  for (const input of [[7, 8], mx.zeros([1, 3], mx.float32)]) {
    const { faults } = await engine.run([{ ...bad, session: good.session }], input);
    for (const { message } of faults) assert.match(message, /for rows of 1 tokens/);
  }
  const { hidden, faults } = await engine.run([bad], [7]);
  assert.deepEqual(faults, []);
  assert.equal((await engine.sample([bad], hidden)).sampled[0]?.session, bad.session);
});

test('operations that cannot be done fail their session, and name it', async () => {
  const { engine, good } = await pair();
  const open = {
    op: 'open',
    session: 9,
    requestId: 'r9',
    sampling: { temperature: 0, topP: 1, seed: 0 },
  } as const;
  const rest = { maxTokens: 5, stopIds: [] };
  const refused = (ops: Parameters<Engine['apply']>[0], message: RegExp) => {
    const [fault] = engine.apply(ops);
    assert.match(fault?.message ?? '', message);
    return fault;
  };
  const from = { session: good.session, length: 3, take: false };
  assert.equal(
    refused([{ ...open, ...rest, from }], /has no 3 tokens to begin session 9 with/)?.requestId,
    'r9',
  );
  refused([{ ...open, ...rest, session: 10, from: { ...from, session: 77 } }], /session 77 has no 3 tokens/);
  refused([{ op: 'trim', session: good.session, length: 3 }], /has 2 tokens, not 3/);
  refused([{ op: 'keep', session: 50 }], /session 50 is not open/);
  refused([{ op: 'fail', session: 51, code: 'engine_failed', message: 'found before' }], /^found before$/);
});

test('a hidden state that is not finite fails its session where it arises, and goes on as zeros', async () => {
  const chain = await StageChain.load([
    { start: 0, end: 6 },
    { start: 6, end: 12 },
  ]);
  const [first] = chain.engines as [Engine];
  const sessions = [chain.open(), chain.open()];
  const rows = sessions.map(({ session }) => ({ session, position: 0, count: 2, sample: true }));
  first.apply(sessions.map(({ op }) => op));
  const { hidden } = await first.run(rows, [5, 6, 5, 6]);
  const spoiled = mx.add(hidden, mx.array([[0], [0], [0], [Number.NaN]], mx.float32));
  const checked = first.check(rows, spoiled);
  assert.deepEqual(
    checked.faults.map(({ session, requestId }) => ({ session, requestId })),
    [{ session: 2, requestId: 'r2' }],
  );
  assert.match(checked.faults[0]?.message ?? '', /layers 0–5 compute is not finite/);
  const values = checked.hidden.tolist() as number[][];
  assert.deepEqual(values.slice(0, 2), (hidden.tolist() as number[][]).slice(0, 2));
  assert.ok(
    values
      .slice(2)
      .flat()
      .every((value) => value === 0),
  );
});

test('KV over the limit is refused before it is made', async () => {
  const chain = await StageChain.load([WHOLE], undefined, 4096, 512);
  const ids = (count: number) => Array.from({ length: count }, (_, i) => 3 + (i % 900));
  const [one, two] = [chain.open(), chain.open()];
  const row = (session: number, position: number, count: number) => ({
    session,
    position,
    count,
    sample: false,
  });
  await chain.forward([row(one.session, 0, 300)], ids(300), [one.op, two.op]);
  await assert.rejects(chain.forward([row(two.session, 0, 1)], [5]), {
    code: 'kv_full',
    message: /holds 512 in all/,
  });
  await chain.forward([row(one.session, 300, 212)], ids(212));
});
