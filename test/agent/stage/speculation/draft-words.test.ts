// Words to and from a draft as bytes on a hop, and what is refused.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeFrame, FrameReader } from '../../../../agent/stage/frame.ts';
import type { DraftWord } from '../../../../agent/stage/speculation/draft-words.ts';
import { MAX_DRAFT_IDS, MAX_DRAFT_WORD_BYTES } from '../../../../protocol/limits.ts';

const text: DraftWord = {
  ...{ say: 'text', session: 3, turn: 2, at: 7, ids: [5, 6], drawn: 8, until: 17 },
  open: { promptTokens: 4, sampling: { temperature: 0.6, topP: 0.9, seed: 11, topK: 40, minP: 0.1 } },
};

test('come as they were sent', () => {
  const ids = new Array(MAX_DRAFT_IDS).fill(199_999);
  const words: DraftWord[] = [
    text,
    { ...text, ids },
    { say: 'forget', session: 3 },
    { say: 'guess', session: 3, turn: 2, at: 9, ids: [1] },
  ];
  const reader = new FrameReader();
  const frames = words.map((word) => ({ kind: 'draft', epoch: 4, word }) as const);
  const bytes = Buffer.concat(frames.map((frame) => encodeFrame(frame)));
  assert.deepEqual(reader.push(bytes), frames);
});

test('with too many tokens, too many bytes or another shape are malformed', () => {
  const push = (word: unknown) =>
    new FrameReader().push(encodeFrame({ kind: 'draft', epoch: 4, word: word as DraftWord }));
  assert.throws(() => push({ ...text, ids: new Array(MAX_DRAFT_IDS + 1).fill(1) }), /malformed frame/);
  assert.throws(
    () => push({ ...text, more: 'x'.repeat(MAX_DRAFT_WORD_BYTES) }),
    /a word to a draft of \d+ bytes/,
  );
  assert.throws(() => push({ say: 'stop' }), /a word to a draft/);
  assert.throws(() => push({ ...text, ids: [-1] }), /a word to a draft/);
});
