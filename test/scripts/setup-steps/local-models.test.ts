import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { localModels } from '../../../scripts/setup-steps/local-models.ts';
import { demoModelDir } from '../../support/paths.ts';
import { tempHome } from '../../support/temp-home.ts';

test("models in ~/models are folders, those in Hugging Face's cache repositories; what is no model is passed over", async () => {
  const user = tempHome();
  const models = join(user, 'models');
  const snapshots = join(user, '.cache/huggingface/hub/models--mlx-community--Demo-4bit/snapshots');
  for (const dir of [models, snapshots, join(models, 'holiday-photos')]) mkdirSync(dir, { recursive: true });
  mkdirSync(join(user, '.cache/huggingface/hub/datasets--x--y/snapshots/z'), { recursive: true });
  writeFileSync(join(models, 'notes.txt'), 'buy more Macs');
  symlinkSync(demoModelDir, join(models, 'mine'));
  symlinkSync(demoModelDir, join(snapshots, '0123abc'));
  const found = await localModels({}, user);
  assert.deepEqual(
    found.map(({ name, dir, card }) => [name, dir, card.id]),
    [
      [join(models, 'mine'), join(models, 'mine'), 'mine'],
      ['mlx-community/Demo-4bit', join(snapshots, '0123abc'), 'mlx-community/Demo-4bit'],
    ],
  );
  assert.equal(found[0]?.card.layerCount, 12);

  const elsewhere = await localModels({ HF_HOME: join(user, '.cache/huggingface') }, tempHome());
  assert.equal(elsewhere.length, 1);
  assert.equal((await localModels({ HF_HUB_CACHE: tempHome() }, tempHome())).length, 0);
});
