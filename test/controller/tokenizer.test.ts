import assert from 'node:assert/strict';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadTokenizer } from '../../controller/tokenizer.ts';
import { EspalierError } from '../../protocol/errors.ts';
import { demoModelDir } from '../support/paths.ts';
import { referenceCases } from '../support/reference.ts';

const tokenizer = await loadTokenizer(demoModelDir);

test('all reference answers decode to their text', () => {
  assert.equal(referenceCases.length, 48);
  for (const { greedy_ids, text } of referenceCases) assert.equal(tokenizer.decode(greedy_ids), text);
});

test('special tokens in a text become their ids, and none are added', () => {
  assert.deepEqual(tokenizer.encode('<｜User｜><｜Assistant｜><think>'), [3, 4, 1022]);
  assert.deepEqual(tokenizer.encode(''), []);
});

test('special and unknown ids have no text, think marks do', () => {
  assert.equal(tokenizer.decode([0, 1022, 3, 1023, 5_000, 1]), '<think></think>');
  assert.equal(tokenizer.decode([]), '');
  assert.equal(tokenizer.decode([1]), '');
});

test('any text survives the way there and back', () => {
  for (const text of [
    'café 你好 😀\u{1F3F3}️‍🌈',
    '  two  spaces ',
    'tab\t\r\n\u0000',
    "it's 1,234.5 !?",
    ' .a ,b',
  ]) {
    assert.equal(tokenizer.decode(tokenizer.encode(text)), text);
  }
});

test('says how many ids there are and which one ends a text', () => {
  assert.equal(tokenizer.idCount, 1024);
  assert.equal(tokenizer.eosId, 1);
});

test('a damaged tokenizer.json names the file', async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'espalier-tokenizer-'));
  t.after(() => rm(dir, { recursive: true }));
  await cp(demoModelDir, dir, { recursive: true });
  await writeFile(join(dir, 'tokenizer.json'), '{"model": {"type": "Unheard"}}');
  await assert.rejects(loadTokenizer(dir), (error: EspalierError) => {
    assert.ok(error instanceof EspalierError);
    assert.equal(error.code, 'model_file_damaged');
    assert.match(error.message, /tokenizer\.json/);
    return true;
  });
});
