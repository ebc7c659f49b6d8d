import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type DecodeIds, Detokenizer } from '../../controller/detokenizer.ts';
import { loadTokenizer } from '../../controller/tokenizer.ts';
import { demoModelDir } from '../support/paths.ts';
import { referenceCases } from '../support/reference.ts';
import { pick, type Random, seeded } from './support.ts';

const tokenizer = await loadTokenizer(demoModelDir);
const vocab = JSON.parse(readFileSync(join(demoModelDir, 'tokenizer.json'), 'utf8')).model.vocab as Record<
  string,
  number
>;

/** GPT-2's table: each byte as a printable character, in which a byte-level vocabulary is written. */
const BYTE_CHARACTERS = (() => {
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => {
    const printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    return String.fromCharCode(printable ? byte : next++);
  });
})();

function byteId(byte: number): number {
  const id = vocab[BYTE_CHARACTERS[byte] as string];
  assert.ok(id !== undefined);
  return id;
}

/** A text as tokens, cut at chance wherever the vocabulary has a token for the bytes: also inside of characters. */
function randomTokens(random: Random, text: string): number[] {
  const bytes = [...Buffer.from(text)].map((byte) => BYTE_CHARACTERS[byte]).join('');
  const ids: number[] = [];
  for (let at = 0; at < bytes.length; ) {
    const lengths = [1, 2, 3, 4, 5, 6].filter((length) => bytes.slice(at, at + length) in vocab);
    const length = pick(random, lengths);
    ids.push(vocab[bytes.slice(at, at + length)] as number);
    at += length;
  }
  return ids;
}

function stream(ids: readonly number[], decode: DecodeIds = tokenizer.decode): string[] {
  const detokenizer = new Detokenizer(decode);
  return [...ids.map((id) => detokenizer.push(id)), detokenizer.flush()];
}

test('all reference answers stream to their text', () => {
  for (const { greedy_ids, text } of referenceCases) assert.equal(stream(greedy_ids).join(''), text);
});

test('any split of any text into tokens gives the text, never half a character', () => {
  const random = seeded(1);
  const characters = [...'abc the 12.,\n <>/é你好界ñ😀🏳️‍🌈👩‍👩‍👧नमस्ते\u0000\u00A0'];
  for (let round = 0; round < 500; round++) {
    const text = Array.from({ length: 40 }, () => pick(random, characters)).join('');
    const ids = randomTokens(random, text);
    const pieces = stream(ids);
    assert.equal(pieces.join(''), text);
    for (const piece of pieces) assert.ok(!piece.includes('\uFFFD') && piece.isWellFormed());
  }
});

test('any ids at all give what decoding them at once gives', () => {
  const random = seeded(2);
  for (let round = 0; round < 500; round++) {
    const ids = Array.from({ length: 30 }, () => Math.floor(random() * 1_024));
    assert.equal(stream(ids).join(''), tokenizer.decode(ids));
  }
});

test('a character that never ends comes out at the end', () => {
  const [first, second] = Buffer.from('é') as unknown as [number, number];
  assert.deepEqual(stream([byteId(first)]), ['', '\uFFFD']);
  assert.deepEqual(stream([byteId(first), byteId(second)]), ['', 'é', '']);
});

test('special tokens are not shown and do not disturb', () => {
  assert.deepEqual(stream([1]), ['', '']);
  const [f0, b1, b2, b3] = [...Buffer.from('😀')].map(byteId) as [number, number, number, number];
  assert.equal(stream([f0, b1, 3, b2, 1, b3]).join(''), '😀');
});

test('the work for a token does not grow with the text', () => {
  const random = seeded(3);
  const tokens = 32_000;
  const text = Array.from({ length: tokens }, () => pick(random, ['a', ' the', '你', '\n', '😀'])).join('');
  for (const { ids, most } of [
    { ids: randomTokens(random, text), most: 10 },
    // Noise: bytes that never make a character, the worst case.
    { ids: new Array<number>(tokens).fill(byteId(0x80)), most: 140 },
  ]) {
    let decoded = 0;
    const pieces = stream(ids, (window) => {
      decoded += window.length;
      return tokenizer.decode(window);
    });
    assert.equal(pieces.join(''), tokenizer.decode(ids));
    assert.ok(decoded < most * ids.length, `${decoded} tokens were decoded for ${ids.length}`);
  }
});
