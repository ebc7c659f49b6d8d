// KV that comes from another session is the KV that the same tokens would have written: the logits are those of a
// session that computed everything itself, and the source goes on as if nothing had been taken from it.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Row, SessionOp, SessionSource } from '../../../agent/engine/step.ts';
import { parityModels } from '../../support/parity.ts';
import { evenRanges, StageChain } from '../../support/stages.ts';

const TOLERANCE = 1e-4;
/** Over two blocks of KV, so that copies cross a block's end. */
const TOKENS = 600;

const models = [
  { name: 'latent attention, two stages', dir: undefined, ranges: evenRanges(12, 2), vocabulary: 1000 },
  ...parityModels
    .filter(({ name }) => name === 'llama-6bit' || name === 'qwen3-8bit')
    .map(({ name, dir, layers }) => ({ name, dir, ranges: evenRanges(layers, 1), vocabulary: 60 })),
];

for (const { name, dir, ranges, vocabulary } of models) {
  const text = (seed: number, count: number) =>
    Array.from({ length: count }, (_, i) => 2 + ((seed + 31 * i + i * i) % vocabulary));

  /** Writes tokens from `position` on. @returns the logits after the last one */
  async function write(
    chain: StageChain,
    session: number,
    position: number,
    ids: number[],
    ops: SessionOp[] = [],
  ) {
    const rows: Row[] = [{ session, position, count: ids.length, sample: true }];
    const hidden = await chain.forward(rows, ids, ops);
    return chain.lastLogits(rows, hidden);
  }

  function openFrom(chain: StageChain, from: SessionSource) {
    const { session, op } = chain.open();
    return { session, op: { ...op, from } as SessionOp };
  }

  function assertEqual(actual: number[], expected: number[]): void {
    const worst = Math.max(...expected.map((value, id) => Math.abs(value - (actual[id] ?? Number.NaN))));
    assert.ok(worst <= TOLERANCE, `a logit differs by ${worst}`);
  }

  describe(name, () => {
    test('a copy at any place computes on as if it had computed all, and its source does, too', async () => {
      const chain = await StageChain.load(ranges, dir);
      const prompt = text(1, TOKENS);
      const source = chain.open();
      await write(chain, source.session, 0, prompt, [source.op]);
      const alone = chain.open();
      for (const length of [1, 255, 256, 257, 511, 512, TOKENS]) {
        const copy = openFrom(chain, { session: source.session, length, take: false });
        const more = text(7, 40);
        const logits = await write(chain, copy.session, length, more, [copy.op]);
        const next = await write(chain, copy.session, length + 40, [3]);
        const whole = chain.open();
        assertEqual(
          logits,
          await write(chain, whole.session, 0, [...prompt.slice(0, length), ...more], [whole.op]),
        );
        assertEqual(next, await write(chain, whole.session, length + 40, [3]));
        for (const { session } of [copy, whole]) chain.drop(session);
      }
      const after = await write(chain, source.session, TOKENS, [5]);
      assertEqual(after, await write(chain, alone.session, 0, [...prompt, 5], [alone.op]));
    });

    test('a session that is taken over, whole or in part, computes on, and its source is gone', async () => {
      const chain = await StageChain.load(ranges, dir);
      const prompt = text(1, TOKENS);
      for (const length of [TOKENS, 300]) {
        const source = chain.open();
        await write(chain, source.session, 0, prompt, [source.op]);
        const heir = openFrom(chain, { session: source.session, length, take: true });
        const ops: SessionOp[] = [{ op: 'keep', session: source.session }, heir.op];
        const logits = await write(chain, heir.session, length, [9, 10], ops);
        const whole = chain.open();
        assertEqual(
          logits,
          await write(chain, whole.session, 0, [...prompt.slice(0, length), 9, 10], [whole.op]),
        );
        const kvBytes = chain.last.kvBytes;
        chain.drop(heir.session);
        assert.equal(chain.last.kvBytes, kvBytes / 2, 'one of two sessions of the same length is left');
        await assert.rejects(write(chain, source.session, TOKENS, [5]), { message: /is not open/ });
        for (const { session } of [source, whole]) chain.drop(session);
        assert.equal(chain.last.kvBytes, 0);
      }
    });

    test('a trimmed session writes its tokens anew from there, and forgets all of them when it is trimmed to none', async () => {
      const chain = await StageChain.load(ranges, dir);
      const prompt = text(1, TOKENS);
      const { session, op } = chain.open();
      await write(chain, session, 0, prompt, [op]);
      const other = text(3, 50);
      const logits = await write(chain, session, 200, other, [{ op: 'trim', session, length: 200 }]);
      const whole = chain.open();
      assertEqual(
        logits,
        await write(chain, whole.session, 0, [...prompt.slice(0, 200), ...other], [whole.op]),
      );
      chain.drop(whole.session);
      for (const engine of chain.engines) engine.apply([{ op: 'trim', session, length: 0 }]);
      assert.equal(chain.last.kvBytes, 0);
      assertEqual(await write(chain, session, 0, [...prompt.slice(0, 200), ...other]), logits);
    });
  });
}

test('the first token of an answer tells how much of its prompt was there already, the others do not', async () => {
  const chain = await StageChain.load(evenRanges(12, 1));
  const { session, op } = chain.open();
  await chain.forward([{ session, position: 0, count: 3, sample: true }], [5, 6, 7], [op]);
  const { op: second } = chain.open();
  const opened = { ...second, from: { session, length: 2, take: false } } as SessionOp;
  const [first] = await chain.step([{ session: 2, position: 2, count: 2, sample: true }], [8, 9], [opened]);
  assert.equal(first?.cachedTokens, 2);
  const [next] = await chain.step([{ session: 2, position: 4, count: 1, sample: true }], [3]);
  assert.equal(next?.cachedTokens, undefined);
});

test('a session that had to give up what was there already does not count it', async () => {
  const chain = await StageChain.load(evenRanges(12, 1));
  const { session, op } = chain.open();
  await chain.forward([{ session, position: 0, count: 3, sample: true }], [5, 6, 7], [op]);
  const { op: second } = chain.open();
  const opened = { ...second, from: { session, length: 2, take: false } } as SessionOp;
  const paused: SessionOp = { op: 'trim', session: 2, length: 0 };
  const row = { session: 2, position: 0, count: 4, sample: true };
  const [first] = await chain.step([row], [5, 6, 8, 9], [opened, paused]);
  assert.deepEqual([first?.index, first?.cachedTokens], [0, undefined]);
});
