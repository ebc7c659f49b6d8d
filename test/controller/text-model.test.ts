import assert from 'node:assert/strict';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { loadTextModel, type TextModelOptions } from '../../controller/text-model.ts';
import { type ErrorCode, EspalierError } from '../../protocol/errors.ts';
import { demoModelDir } from '../support/paths.ts';

const TEXT_FILES = ['config.json', 'generation_config.json', 'tokenizer.json', 'tokenizer_config.json'];

/** A copy of the demo model's text side, with some files changed: fields set, the whole text replaced, or removed. */
async function copy(t: TestContext, changes: Record<string, object | string | null>): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'espalier-text-model-'));
  t.after(() => rm(dir, { recursive: true }));
  for (const file of TEXT_FILES) {
    const change = changes[file];
    if (change === null) continue;
    if (typeof change === 'string') await writeFile(join(dir, file), change);
    else if (change === undefined) await cp(join(demoModelDir, file), join(dir, file));
    else {
      const fields = JSON.parse(await readFile(join(demoModelDir, file), 'utf8')) as object;
      await writeFile(join(dir, file), JSON.stringify({ ...fields, ...change }));
    }
  }
  return dir;
}

async function failure(
  dir: string,
  options?: TextModelOptions,
): Promise<{ code: ErrorCode; message: string }> {
  const error: unknown = await loadTextModel(dir, options).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof EspalierError, `expected an EspalierError, got ${error}`);
  return error;
}

test('the demo model', async () => {
  const model = await loadTextModel(demoModelDir);
  assert.equal(model.id, 'espalier-demo');
  assert.deepEqual(model.stopIds, [1]);
  assert.deepEqual(model.sampling, { temperature: 0.6, topP: 0.95 });
  assert.equal(model.contextTokens, 163_840);
  assert.equal(model.vocabSize, 1_024);
  assert.deepEqual(await model.encode('<think>'), [1_022]);
});

test('options name the model and make its context smaller, not larger', async (t) => {
  const dir = await copy(t, {});
  const small = await loadTextModel(dir, { id: 'r1', contextTokens: 100 });
  assert.equal(small.id, 'r1');
  assert.equal(small.contextTokens, 100);
  assert.equal((await loadTextModel(dir, { contextTokens: 1e9 })).contextTokens, 163_840);
});

test('stop ids come from generation_config.json, else config.json, else the tokenizer', async (t) => {
  const stopIds = async (changes: Record<string, object | string | null>): Promise<readonly number[]> =>
    (await loadTextModel(await copy(t, changes))).stopIds;
  assert.deepEqual(await stopIds({ 'generation_config.json': { eos_token_id: [1, 3] } }), [1, 3]);
  assert.deepEqual(
    await stopIds({ 'generation_config.json': null, 'config.json': { eos_token_id: 4 } }),
    [4],
  );
  const without = { 'generation_config.json': null, 'config.json': { eos_token_id: null } };
  assert.deepEqual(await stopIds(without), [1]);
  const { code, message } = await failure(
    await copy(t, { ...without, 'tokenizer_config.json': { eos_token: null } }),
  );
  assert.equal(code, 'model_mismatch');
  assert.match(message, /eos_token_id/);
});

test('without generation_config.json OpenAI defaults hold, and do_sample false is greedy', async (t) => {
  const sampling = async (change: object | null): Promise<object> =>
    (await loadTextModel(await copy(t, { 'generation_config.json': change }))).sampling;
  assert.deepEqual(await sampling(null), { temperature: 1, topP: 1 });
  assert.deepEqual(await sampling({ do_sample: false }), { temperature: 0, topP: 0.95 });
});

test('what is missing or damaged is named', async (t) => {
  assert.equal((await failure('/nowhere/at/all')).code, 'model_folder_missing');
  assert.match((await failure('/nowhere/at/all')).message, /\/nowhere\/at\/all/);
  for (const [changes, code, message] of [
    [{ 'config.json': null }, 'model_file_missing', /config\.json is missing/],
    [{ 'tokenizer.json': null }, 'model_file_missing', /tokenizer\.json is missing/],
    [{ 'tokenizer_config.json': null }, 'model_file_missing', /tokenizer_config\.json is missing/],
    [{ 'config.json': '{"vocab_size": 10' }, 'model_file_damaged', /config\.json .*not JSON/],
    [{ 'config.json': { vocab_size: 'many' } }, 'model_mismatch', /config\.json .*vocab_size/],
    [{ 'config.json': { max_position_embeddings: 0 } }, 'model_mismatch', /max_position_embeddings/],
    [{ 'config.json': { vocab_size: 1_000 } }, 'model_mismatch', /tokenizer\.json .*1024.*vocab_size.*1000/],
    [{ 'generation_config.json': { eos_token_id: 5_000 } }, 'model_mismatch', /eos_token_id 5000/],
    [{ 'generation_config.json': { top_p: 2 } }, 'model_mismatch', /generation_config\.json .*top_p/],
  ] as const) {
    const error = await failure(await copy(t, changes));
    assert.equal(error.code, code);
    assert.match(error.message, message);
  }
});
