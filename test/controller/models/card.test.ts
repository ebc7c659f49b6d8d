import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { readModelCard } from '../../../controller/models/card.ts';
import { openModelFolder } from '../../../protocol/model-folder.ts';
import { demoModelDir } from '../../support/paths.ts';

test('the card of the demo model accounts for every byte of its weights', async () => {
  const card = await readModelCard(await openModelFolder(demoModelDir), 'demo');
  assert.equal(card.layerCount, 12);
  assert.equal(card.quantization, '4-bit');
  const all = card.embeddingBytes + card.headBytes + card.layerBytes.reduce((a, b) => a + b, 0);
  const file = statSync(join(demoModelDir, 'model.safetensors')).size;
  assert.ok(all < file && all > file - 100_000, `${all} of ${file}: the rest is the header`);
  // 64 latents and 32 rotated keys, in float32
  assert.equal(card.kvBytesPerTokenLayer, 96 * 4);
});
