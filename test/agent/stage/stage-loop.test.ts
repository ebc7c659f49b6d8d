// Stage loops wired to a ring, with real engines: answers, cancels, faults and frames that do not belong, and what the
// first stage says to a request before it is a session.
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import type { StepFrame } from '../../../agent/stage/frame.ts';
import type { GenerateRequest } from '../../../protocol/generate.ts';
import { MAX_QUEUED_FRAMES, MAX_REQUESTS } from '../../../protocol/limits.ts';
import { type ReferenceCase, referenceCases } from '../../support/reference.ts';
import { GREEDY } from '../../support/sampling.ts';
import { EPOCH, LoopRing, type RingOptions } from '../../support/stage-loops.ts';
import { until } from '../../support/until.ts';

const EOS = 1;
/** The shortest of each kind. */
const CASES = [...new Set(referenceCases.map(({ kind }) => kind))]
  .map((kind) =>
    referenceCases
      .filter((other) => other.kind === kind)
      .reduce((a, b) => (a.greedy_ids.length <= b.greedy_ids.length ? a : b)),
  )
  .sort((a, b) => a.greedy_ids.length - b.greedy_ids.length);
const LONG = referenceCases.reduce((a, b) => (a.greedy_ids.length > b.greedy_ids.length ? a : b));

const rings: LoopRing[] = [];
after(() => {
  for (const ring of rings) ring.close();
});

async function load(stageCount: number, options?: RingOptions): Promise<LoopRing> {
  const ring = await LoopRing.load(stageCount, options);
  rings.push(ring);
  return ring;
}

function assertAnswer(
  ring: LoopRing,
  requestId: string,
  { greedy_ids: expected, kind }: ReferenceCase,
): void {
  const { tokens, indices, finish, failures } = ring.of(requestId);
  assert.deepEqual(failures, []);
  const shown = expected.filter((id) => id !== EOS);
  assert.deepEqual(tokens, shown, `${requestId}, ${kind}`);
  assert.equal(finish, 'stop');
  assert.deepEqual(
    indices,
    Array.from({ length: shown.length + 1 }, (_, i) => i),
    'each token once, in order',
  );
}

for (const stages of [1, 2, 3]) {
  test(`a ring of ${stages} answers everybody at once as mlx-lm does, and keeps nothing running`, async () => {
    const ring = (await load(stages)).start();
    const cases = CASES.slice(0, 6);
    for (const [i, { prompt_ids }] of cases.entries()) ring.submit(`r${i}`, prompt_ids);
    await ring.ended(...cases.map((_, i) => `r${i}`));
    for (const [i, expected] of cases.entries()) assertAnswer(ring, `r${i}`, expected);
    await until(
      () => ring.engines.every(({ sessionCount }) => sessionCount === 0),
      'the end of all sessions',
    );
    assert.equal(ring.head.kvUse?.liveTokens, 0);
  });
}

test('answers stay the same where streams have to pause for want of KV', async () => {
  const trims: number[] = [];
  const ring = await load(2, {
    kvTokens: 512,
    onFrame: (frame, from) => {
      if (from > 0 || frame.kind !== 'step') return;
      for (const op of frame.ops) if (op.op === 'trim') trims.push(op.session);
    },
  });
  ring.start();
  // the first one grows into a second block while the second one runs, and there are two in all
  const needsTwo = referenceCases.find(({ prompt_ids }) => prompt_ids.length > 200) as ReferenceCase;
  const runsLong = referenceCases.find(({ greedy_ids }) => greedy_ids.length > 100) as ReferenceCase;
  assert.ok(needsTwo.prompt_ids.length + needsTwo.greedy_ids.length > 257);
  const cases = [needsTwo, runsLong];
  for (const [i, { prompt_ids }] of cases.entries()) ring.submit(`r${i}`, prompt_ids);
  await ring.ended(...cases.map((_, i) => `r${i}`));
  for (const [i, expected] of cases.entries()) assertAnswer(ring, `r${i}`, expected);
  assert.deepEqual(trims, [2]);
});

test('a cancelled request falls silent, its sessions end on all stages, and the others do not notice', async () => {
  const ring = (await load(2)).start();
  const [other] = CASES as [ReferenceCase];
  ring.submit('a', LONG.prompt_ids);
  ring.submit('b', other.prompt_ids);
  await until(() => ring.of('a').tokens.length > 5, 'some tokens');
  ring.head.cancel('a');
  await ring.ended('b');
  await until(() => ring.engines.every(({ sessionCount }) => sessionCount === 0), 'the end of all sessions');
  assertAnswer(ring, 'b', other);
  const { tokens, finish, failures } = ring.of('a');
  assert.ok(tokens.length < LONG.greedy_ids.length);
  assert.deepEqual([finish, failures], [undefined, []]);
  assert.equal(ring.head.kvUse?.liveTokens, 0);
});

test('a fault in the middle of the ring ends one request, once, and the stages forget it', async () => {
  const [bad, ...others] = CASES.slice(0, 4) as [ReferenceCase, ...ReferenceCase[]];
  let spoilt = 0;
  const ring = await load(3, {
    onFrame: (frame, from) => {
      // what the first stage sends of session 1 after its prompt is not a number on its way to the second
      if (from > 0 || frame.kind !== 'step' || !frame.hidden) return;
      const { rows, hidden } = frame;
      const rowBytes = hidden.bytes.length / rows.reduce((sum, { count }) => sum + count, 0);
      let begin = 0;
      for (const { session, position, count } of rows) {
        if (session === 1 && position > bad.prompt_ids.length + 3) {
          hidden.bytes.fill(0xff, begin, begin + count * rowBytes);
          spoilt += 1;
        }
        begin += count * rowBytes;
      }
    },
  });
  ring.start();
  ring.submit('bad', bad.prompt_ids);
  for (const [i, { prompt_ids }] of others.entries()) ring.submit(`r${i}`, prompt_ids);
  await ring.ended('bad', ...others.map((_, i) => `r${i}`));
  for (const [i, expected] of others.entries()) assertAnswer(ring, `r${i}`, expected);
  const { failures, finish, tokens } = ring.of('bad');
  assert.deepEqual(
    failures.map(({ code }) => code),
    ['engine_failed'],
  );
  assert.match(failures[0]?.message ?? '', /^what layers 4–7 compute is not finite/);
  assert.equal(finish, undefined);
  assert.deepEqual(tokens, bad.greedy_ids.slice(0, tokens.length));
  assert.equal(spoilt, 1, 'it is not computed any further');
  // nobody begins with what is left of it
  ring.submit('again', bad.prompt_ids);
  await ring.ended('again');
  assertAnswer(ring, 'again', bad);
  assert.equal(ring.of('again').cachedTokens, undefined);
});

describe('a frame', () => {
  const open: StepFrame = {
    kind: 'step',
    epoch: EPOCH - 1,
    step: 1,
    ops: [{ op: 'open', session: 90, requestId: 'old', sampling: GREEDY, maxTokens: 5, stopIds: [] }],
    rows: [],
  };

  test('of an old epoch is dropped by every stage', async () => {
    const answers: string[] = [];
    const ring = await load(2, { onFrame: (frame) => void answers.push(`${frame.kind} ${frame.epoch}`) });
    ring.start();
    const [expected] = CASES as [ReferenceCase];
    ring.submit('a', expected.prompt_ids);
    const [head, tail] = ring.loops;
    tail?.receive(open);
    for (let step = 1; step < 20; step++) {
      const sampled = [{ session: 1, token: 5, outcome: 'stop' as const }];
      head?.receive({ kind: 'tokens', epoch: EPOCH - 1, step, sampled });
    }
    await ring.ended('a');
    assertAnswer(ring, 'a', expected);
    assert.deepEqual(ring.of('old').failures, []);
    assert.ok(!answers.some((answer) => answer.endsWith(` ${EPOCH - 1}`)));
    await until(
      () => ring.engines.every(({ sessionCount }) => sessionCount === 0),
      'the end of all sessions',
    );
  });

  test('more than a ring can have in flight is refused', async () => {
    const ring = await load(2);
    const tail = ring.loops[1];
    const frame = { ...open, epoch: EPOCH, ops: [] };
    for (let i = 0; i < MAX_QUEUED_FRAMES; i++) assert.equal(tail?.receive(frame), true);
    assert.equal(tail?.receive(frame), false);
    assert.equal(tail?.receive(open), true, 'an old one does not count');
  });
});

test('a request that cannot be carried out is refused before it is a session, with the reason', async () => {
  const ring = await load(2, { contextTokens: 600, kvTokens: 512 });
  const ids = (count: number) => new Array<number>(count).fill(5);
  const cases: [number[], Partial<GenerateRequest>, { code: string; message: RegExp }][] = [
    [[5, 1024], {}, { code: 'invalid_request', message: /^token id 1024 is not in the vocabulary of 1024$/ }],
    [
      [5],
      { sampling: { ...GREEDY, logitBias: [[4, 1] as [number, number], [2000, 1] as [number, number]] } },
      { code: 'invalid_request', message: /^logit_bias: token id 2000 is not in the vocabulary of 1024$/ },
    ],
    [
      ids(300),
      { maxTokens: 301 },
      {
        code: 'context_length_exceeded',
        message: /^300 prompt tokens and 301 more exceed the context of 600 tokens$/,
      },
    ],
    [ids(512), { maxTokens: 5 }, { code: 'kv_full', message: /a prompt of 512 tokens does not fit.* 512/ }],
  ];
  for (const [promptIds, options, expected] of cases) {
    assert.throws(() => ring.submit('a', promptIds, { maxTokens: 9, ...options }), expected);
  }
  const tail = ring.loops[1];
  const request = { requestId: 'a', promptIds: [5], maxTokens: 5, stopIds: [], sampling: GREEDY };
  assert.throws(() => tail?.submit(request), {
    code: 'internal',
    message: 'requests go to the first stage of a ring',
  });
  for (let i = 0; i < MAX_REQUESTS; i++) ring.submit(`r${i}`, [5], { maxTokens: 2 });
  assert.throws(() => ring.submit('more', [5], { maxTokens: 2 }), { code: 'queue_full' });
});
