import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { readModelCard } from '../../../controller/models/card.ts';
import { openModelFolder } from '../../../protocol/model-folder.ts';
import type { ModelCard } from '../../../protocol/plan.ts';
import { parityModels } from '../../support/parity.ts';
import { demoModelDir } from '../../support/paths.ts';

async function parityCard(name: string): Promise<ModelCard> {
  const model = parityModels.find((one) => one.name === name);
  assert.ok(model, name);
  return readModelCard(await openModelFolder(model.dir));
}

test('the card of the demo model accounts for every byte of its weights', async () => {
  const card = await readModelCard(await openModelFolder(demoModelDir), 'demo');
  assert.equal(card.layerCount, 12);
  assert.equal(card.quantization, '4-bit');
  const all = card.embeddingBytes + card.headBytes + card.layerBytes.reduce((a, b) => a + b, 0);
  const file = statSync(join(demoModelDir, 'model.safetensors')).size;
  assert.ok(all < file && all > file - 100_000, `${all} of ${file}: the rest is the header`);
  // 64 latents and 32 rotated keys
  assert.equal(card.kvValuesPerTokenLayer, 96);
});

test('KV of grouped-query attention: keys and values of the key heads', async () => {
  assert.equal((await parityCard('qwen2-4bit')).kvValuesPerTokenLayer, 2 * 2 * 16);
  assert.equal((await parityCard('qwen2-tied-bfloat16')).kvValuesPerTokenLayer, 2 * 1 * 16);
  assert.equal((await parityCard('llama-linear-biases-float16')).kvValuesPerTokenLayer, 2 * 4 * 24);
});

test('a tied embedding is counted on the last stage too', async () => {
  const tied = await parityCard('qwen2-tied-bfloat16');
  assert.equal(tied.embeddingBytes, 300 * 64 * 2);
  assert.equal(tied.headBytes, tied.embeddingBytes + 64 * 2);
});

test('numbers of 3 and 6 bits are counted as the 4 and 8 that they become', async () => {
  const scales = (2 * 2 * 300 * 128) / 128; // one scale and one bias a group, 2 bytes each
  assert.equal((await parityCard('llama-6bit')).embeddingBytes, 300 * 128 + scales);
  // experts of 3, 2 and 3 bits stored one by one: 6 experts of 3 products of 64 × 32, groups of 32
  const { layerBytes } = await parityCard('deepseek_v3-mixed-bits');
  const experts = 6 * 64 * 32 * ((4 + 2 + 4) / 8 + 3 * ((2 * 2) / 32));
  const others = (layerBytes[1] as number) - experts;
  assert.ok(others > 0 && others < 64 * 1024, `${others} bytes besides the experts`);
});

test('layers for predicting further tokens are not counted', async () => {
  const { layerBytes } = await parityCard('deepseek_v3-r1-4bit');
  assert.equal(layerBytes.length, 3);
  assert.equal(layerBytes[1], layerBytes[2]);
});
