import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SessionOp } from '../../../agent/engine/step.ts';
import {
  encodeFrame,
  type Frame,
  FrameError,
  FrameReader,
  type StepFrame,
} from '../../../agent/stage/frame.ts';
import type { Sampling } from '../../../protocol/generate.ts';
import {
  MAX_CONTINUED_OPENS,
  MAX_FAULT_CHARS,
  MAX_LOGIT_BIAS,
  MAX_SESSIONS,
  MAX_STEP_OPS,
  MAX_VOCABULARY,
} from '../../../protocol/limits.ts';
import { PROTOCOL_VERSION } from '../../../protocol/version.ts';
import { GREEDY } from '../../support/sampling.ts';

const step: StepFrame = {
  kind: 'step',
  epoch: 7,
  step: 4_000_000_000,
  ops: [
    { op: 'drop', session: 3 },
    { op: 'open', session: 9, requestId: 'r9', sampling: GREEDY, maxTokens: 5, stopIds: [1, 2] },
    {
      op: 'open',
      session: 10,
      requestId: 'r10',
      sampling: { ...GREEDY, repetitionPenalty: 1.1, topLogprobs: 2 },
      maxTokens: 5,
      stopIds: [],
      promptIds: [0, 9, 300],
      generated: {
        count: 131,
        counts: [
          [3, 1],
          [129_279, 130],
        ],
      },
      from: { session: 4, length: 70_000, take: true },
    },
    {
      op: 'open',
      session: 11,
      requestId: 'r11',
      sampling: GREEDY,
      maxTokens: 5,
      stopIds: [],
      generated: { count: 2 },
    },
    { op: 'keep', session: 5 },
    { op: 'trim', session: 6, length: 0 },
    { op: 'fail', session: 7, code: 'kv_full', message: 'layers 0–3: no KV' },
  ],
  rows: [
    { session: 8, position: 100_000, count: 1, sample: true },
    { session: 9, position: 0, count: 3, sample: false },
    { session: 8, position: 100_001, count: 1, sample: true, guess: 0 },
  ],
  hidden: { dtype: 'BF16', width: 6, bytes: Buffer.from(Array.from({ length: 5 * 6 * 2 }, (_, i) => i)) },
};
const frames: Frame[] = [
  { kind: 'hello', epoch: 7, fromStage: 2, hopToken: 'a-token-of-this-deployment' },
  step,
  { kind: 'step', epoch: 7, step: 2, ops: [{ op: 'drop', session: 8 }], rows: [] },
  { kind: 'beat', epoch: 7, busyMs: 30_000 },
  { kind: 'cancel', epoch: 7, guesses: [{ session: 8, position: 100_001 }] },
  {
    kind: 'step',
    epoch: 8,
    step: 1,
    ops: [{ op: 'sync', sessions: [{ session: 4, length: 70_000 }] }],
    rows: [],
  },
  {
    kind: 'tokens',
    epoch: 7,
    step: 2,
    sampled: [
      { session: 8, token: 129_279, outcome: 'next' },
      { session: 9, token: undefined, outcome: 'failed' },
      { session: 10, token: 1, outcome: 'stop' },
    ],
  },
];
const bytes = Buffer.concat(frames.map((frame) => encodeFrame(frame)));

/** A valid step frame with some bytes of its header overwritten. */
function spoiled(at: number, value: number): Buffer {
  const copy = Buffer.from(encodeFrame(step));
  copy.writeUInt32LE(value >>> 0, at);
  return copy;
}

test('frames survive the way over a socket, however its bytes are cut', () => {
  for (const size of [1, 3, 31, 32, 33, 100, bytes.length]) {
    const reader = new FrameReader();
    const received: Frame[] = [];
    for (let at = 0; at < bytes.length; at += size)
      received.push(...reader.push(bytes.subarray(at, at + size)));
    assert.deepEqual(received, frames, `in pieces of ${size} bytes`);
  }
});

for (const [what, frame, message] of [
  ['another magic', spoiled(0, 0x20544547), /ESPL/],
  ['another protocol', spoiled(4, 0x00010063), /protocol 99.*upgrade this side/],
  ['an unknown kind', spoiled(4, 0x00090000 + PROTOCOL_VERSION), /kind 9/],
  ['an unknown dtype', spoiled(4, 0x09010000 + PROTOCOL_VERSION), /dtype 9/],
  ['too many rows', spoiled(16, 65), /65 rows/],
  ['endless operations', spoiled(20, 0xffffffff), /operations/],
  ['operations that are no JSON', spoiled(20, 20), /JSON/],
  ['too wide a hidden state', spoiled(24, 1 << 20), /wide/],
  ['too large a hidden state', spoiled(28, 0x7fffffff), /hidden state/],
  ['fewer bytes than its rows need', spoiled(28, 12), /need/],
  ['a beat that carries something', spoiled(4, 0x00030000 + PROTOCOL_VERSION), /a beat of/],
] as const) {
  test(`a frame with ${what} is refused before memory is taken for it`, () => {
    assert.throws(
      () => new FrameReader().push(Buffer.concat([frame, Buffer.alloc(1 << 10)])),
      (error) => error instanceof FrameError && message.test(error.message),
    );
  });
}

test('the operations of a step fit, if every session there can be opens with all that a request can ask', () => {
  const sampling: Sampling = {
    ...GREEDY,
    temperature: 0.123456789012345,
    repetitionPenalty: 1.123456789012345,
    logitBias: Array.from({ length: MAX_LOGIT_BIAS }, (_, id) => [
      MAX_VOCABULARY - 1 - id,
      -99.12345678901234,
    ]),
  };
  const promptIds = Array.from({ length: MAX_VOCABULARY }, (_, id) => id);
  const counts = promptIds.map((id): [number, number] => [id, 1]);
  const ops = Array.from({ length: MAX_SESSIONS }, (_, i): SessionOp => {
    const stopIds = Array.from({ length: 64 }, (_, id) => MAX_VOCABULARY - 1 - id);
    const requestId = '\u0001'.repeat(100);
    const session = 2 ** 32 - 1 - i;
    const from = { session: session - 100, length: 1e6, take: false };
    const open = {
      op: 'open',
      session,
      requestId,
      sampling,
      maxTokens: 1e6,
      stopIds,
      promptIds,
      from,
    } as const;
    return i < MAX_CONTINUED_OPENS ? { ...open, generated: { count: 1e6, counts } } : open;
  });
  for (let session = 0; session < MAX_SESSIONS; session++) {
    ops.push({ op: 'keep', session: 2 ** 32 - 1 - session });
    ops.push({ op: 'fail', session, code: 'engine_failed', message: 'x'.repeat(MAX_FAULT_CHARS) });
  }
  while (ops.length < MAX_STEP_OPS) ops.push({ op: 'drop', session: 2 ** 32 - 1 - ops.length });
  const frame: StepFrame = { kind: 'step', epoch: 1, step: 1, ops, rows: [] };
  assert.deepEqual(new FrameReader().push(encodeFrame(frame)), [frame]);
});

test('no bytes whatever do anything but give frames or a FrameError', () => {
  let seed = 1;
  const random = (below: number) => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
    return (seed >>> 8) % below;
  };
  let refused = 0;
  for (let round = 0; round < 3_000; round++) {
    const copy = Buffer.from(bytes);
    for (let change = 0; change <= random(4); change++) copy[random(copy.length)] = random(256);
    try {
      new FrameReader().push(copy.subarray(0, 1 + random(copy.length)));
    } catch (error) {
      assert.ok(error instanceof FrameError, String(error));
      refused++;
    }
  }
  assert.ok(refused > 300, `only ${refused} of 3,000 spoiled streams were noticed`);
});

test('the reason of a fault is cut to what a frame may hold', () => {
  const ops: SessionOp[] = [
    { op: 'fail', session: 1, code: 'internal', message: 'y'.repeat(MAX_FAULT_CHARS + 1) },
  ];
  const [frame] = new FrameReader().push(encodeFrame({ kind: 'step', epoch: 1, step: 1, ops, rows: [] }));
  assert.ok(frame?.kind === 'step' && frame.ops[0]?.op === 'fail');
  assert.equal(frame.ops[0].message, 'y'.repeat(MAX_FAULT_CHARS));
});

test('before a hello, nothing else is read, and a hello is short', () => {
  const reader = () => new FrameReader({ mustGreet: true });
  assert.deepEqual(reader().push(bytes), frames, 'it begins with one');
  const header = encodeFrame(step).subarray(0, 32);
  assert.throws(() => reader().push(header), /did not begin with a hello/);
  const hello = Buffer.from(encodeFrame(frames[0] as Frame));
  hello.writeUInt32LE(1 << 20, 20);
  assert.throws(() => reader().push(hello), /a hello of 1048576 bytes/);
});
