// An engine that moves: it computes as one that was loaded there, reads only what it has not, keeps sessions where its
// range stays, and leaves nothing behind.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Engine } from '../../../agent/engine/engine.ts';
import type { SessionOp } from '../../../agent/engine/step.ts';
import type { LayerRange } from '../../../protocol/plan.ts';
import { demoModelDir } from '../../support/paths.ts';
import { referenceCases } from '../../support/reference.ts';
import { GREEDY } from '../../support/sampling.ts';
import { settle, settleAll } from '../../support/stages.ts';

const LIMITS = { contextTokens: 4096, maxSessions: 8, kvTokens: 1 << 14 };
const prompt = (referenceCases[0]?.prompt_ids ?? []).slice(0, 40);
const WHOLE: LayerRange = { start: 0, end: 12 };

function load(range: LayerRange): Promise<Engine> {
  return Engine.load({ modelDir: demoModelDir, range, ...LIMITS, settle, settleAll });
}

const open = (session: number): SessionOp => {
  return { op: 'open', session, requestId: `r${session}`, sampling: GREEDY, maxTokens: 100, stopIds: [1] };
};

/** The prompt's step through some engines, as their stages would do it. @returns the token that is drawn */
async function first(engines: Engine[], session: number): Promise<number | undefined> {
  const rows = [{ session, position: 0, count: prompt.length, sample: true }];
  let hidden: Parameters<Engine['run']>[1] = prompt;
  for (const engine of engines) {
    assert.deepEqual(engine.apply([open(session)]), []);
    const ran = await engine.run(rows, hidden);
    assert.deepEqual(ran.faults, []);
    hidden = ran.hidden;
  }
  const last = engines.at(-1) as Engine;
  const { sampled } = await last.sample(rows, hidden as Parameters<Engine['sample']>[1]);
  return sampled[0]?.token;
}

describe('an engine that moves', () => {
  test('computes at each place as one that was loaded there, and reads only layers that it had not', async () => {
    const whole = await load(WHOLE);
    const expected = await first([whole], 1);
    assert.notEqual(expected, undefined);
    const a = await load({ start: 0, end: 4 });
    const b = await load({ start: 4, end: 12 });
    const bytes = { a: a.weightBytes, b: b.weightBytes };
    assert.equal(await first([a, b], 1), expected);
    // the border wanders
    assert.equal(await a.move({ range: { start: 0, end: 7 }, ...LIMITS }), 3);
    assert.equal(await b.move({ range: { start: 7, end: 12 }, ...LIMITS }), 0);
    assert.equal(await first([a, b], 2), expected);
    assert.ok(a.weightBytes > bytes.a && b.weightBytes < bytes.b);
    // the two change places, with the embedding and the head
    assert.equal(await a.move({ range: { start: 6, end: 12 }, ...LIMITS }), 5);
    assert.equal(await b.move({ range: { start: 0, end: 6 }, ...LIMITS }), 6);
    assert.deepEqual([a.isFirst, a.isLast, b.isFirst, b.isLast], [false, true, true, false]);
    assert.equal(await first([b, a], 3), expected);
    // one is left alone, and then back where it began
    assert.equal(await a.move({ range: WHOLE, ...LIMITS }), 6);
    assert.equal(a.weightBytes, whole.weightBytes);
    assert.equal(await first([a], 4), expected);
    assert.equal(await a.move({ range: { start: 0, end: 4 }, ...LIMITS }), 0);
    assert.equal(await b.move({ range: { start: 4, end: 12 }, ...LIMITS }), 6);
    assert.deepEqual({ a: a.weightBytes, b: b.weightBytes }, bytes);
    assert.equal(await first([a, b], 5), expected);
  });

  test('forgets its sessions with its range, and keeps them with it', async () => {
    const engine = await load({ start: 0, end: 4 });
    const rows = [{ session: 1, position: 0, count: prompt.length, sample: false }];
    engine.apply([open(1)]);
    await engine.run(rows, prompt);
    const { kvBytes } = engine;
    assert.ok(kvBytes > 0);
    assert.equal(await engine.move({ range: { start: 0, end: 4 }, ...LIMITS, kvTokens: 256 }), 0);
    assert.equal(engine.kvBytes, kvBytes);
    assert.equal(engine.sessionCount, 1);
    // the new limits count
    const second = { session: 2, position: 0, count: 10, sample: false };
    engine.apply([open(2)]);
    const { faults } = await engine.run([second], prompt.slice(0, 10));
    assert.deepEqual(
      faults.map(({ session, code }) => [session, code]),
      [[2, 'kv_full']],
    );
    await engine.move({ range: { start: 0, end: 5 }, ...LIMITS });
    assert.deepEqual([engine.kvBytes, engine.sessionCount], [0, 0]);
  });

  test('back and forth, its memory is as it was', async () => {
    const engine = await load({ start: 0, end: 6 });
    const ranges: LayerRange[] = [
      { start: 6, end: 12 },
      { start: 0, end: 6 },
    ];
    const there = async () => {
      for (const range of ranges) {
        await engine.move({ range, ...LIMITS });
        if (range.start === 0) {
          engine.apply([open(1)]);
          await engine.run([{ session: 1, position: 0, count: prompt.length, sample: false }], prompt);
        }
      }
      await settleAll();
      return process.memoryUsage.rss();
    };
    await there();
    const before = await there();
    for (let i = 0; i < 2; i++) await there();
    const grown = (await there()) - before;
    assert.ok(
      grown < 0.5 * engine.weightBytes,
      `${(grown / 1e6).toFixed(1)} MB of ${engine.weightBytes / 1e6}`,
    );
  });
});
