// A weight that is not a number: requests that meet it end with an error that names the layers; nobody else notices.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TestCluster } from '../support/cluster.ts';
import { ModelCopy } from '../support/model-copy.ts';
import { referenceCases } from '../support/reference.ts';

const BFLOAT16_NAN = Buffer.from([0xc0, 0x7f]);
const [reference] = referenceCases;
const prompt = reference?.prompt_ids ?? [];
const answer = reference?.greedy_ids.filter((id) => id !== 1);
/** A token of no reference case. */
const DAMAGED_ID = 1000;

async function withCluster(copy: ModelCopy, use: (cluster: TestCluster) => Promise<void>): Promise<void> {
  const cluster = await TestCluster.up({ nodes: 3, modelDir: copy.dir });
  const pids = () => cluster.controller.status().stages.map(({ pid }) => pid);
  try {
    const before = pids();
    await use(cluster);
    assert.deepEqual(pids(), before, 'every worker lives');
  } finally {
    await cluster.down();
    copy.remove();
  }
}

test('a damaged row of the embedding fails the request that uses it, beside one that does not', async () => {
  const copy = new ModelCopy();
  copy.overwrite('model.embed_tokens.scales', DAMAGED_ID * 8, BFLOAT16_NAN);
  await withCluster(copy, async (cluster) => {
    const failing = { code: 'engine_failed', message: /layers 0–3 compute is not finite/ };
    const [sound] = await Promise.all([
      cluster.generate(prompt),
      assert.rejects(cluster.generate([...prompt, DAMAGED_ID]), failing),
      assert.rejects(cluster.generate([DAMAGED_ID, ...prompt, ...prompt]), failing),
    ]);
    assert.deepEqual(sound, answer);
    await assert.rejects(cluster.generate([...prompt, DAMAGED_ID]), failing);
    assert.deepEqual(await cluster.generate(prompt), answer);
  });
});

test('a damaged norm in the middle is found on the stage that has it', async () => {
  const copy = new ModelCopy();
  copy.overwrite('model.layers.5.post_attention_layernorm.weight', 0, BFLOAT16_NAN);
  await withCluster(copy, async (cluster) => {
    for (let time = 0; time < 2; time++) {
      await assert.rejects(cluster.generate(prompt), { message: /layers 4–7 compute is not finite/ });
    }
  });
});
