import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BUILTIN_NAMES, builtinCard, smallerVariants } from '../../../controller/models/builtin.ts';
import { cardOf, modelBytes } from '../../../controller/models/card-of.ts';
import { modelTensors } from '../../../controller/models/tensors.ts';
import { openModelFolder, readTensorInfos } from '../../../protocol/model-folder.ts';
import type { ModelCard } from '../../../protocol/plan.ts';
import { parityModels } from '../../support/parity.ts';
import { demoModelDir } from '../../support/paths.ts';

const within = (actual: number, expected: number, share: number, what: string) =>
  assert.ok(Math.abs(actual / expected - 1) <= share, `${what}: ${actual}, expected about ${expected}`);

/** Computed from the architecture elsewhere: bytes of an expert layer, a dense layer, embedding or head, and of all. */
const R1 = [
  { bits: 3, layer: 5.034e9, dense: 0.255e9, head: 0.405e9, all: 293.6e9 },
  { bits: 4, layer: 6.473e9, dense: 0.328e9, head: 0.521e9, all: 377.5e9 },
  { bits: 8, layer: 12.226e9, dense: 0.62e9, head: 0.985e9, all: 713e9 },
];

function activeBytes(card: ModelCard): number {
  const { chosen, total } = card.experts ?? { chosen: 1, total: 1 };
  return card.layerBytes.reduce(
    (sum, bytes, i) => sum + bytes - (card.routedLayerBytes[i] as number) * (1 - chosen / total),
    card.headBytes,
  );
}

test('R1 is as large as its architecture says, in every quantization', () => {
  for (const { bits, layer, dense, head, all } of R1) {
    const card = builtinCard(`deepseek-r1-${bits}bit`);
    within(card.fileBytes, all, 0.001, `${bits} bits, files`);
    if (bits === 3) {
      within(modelBytes(card), modelBytes(builtinCard('deepseek-r1-4bit')), 1e-9, '3 bits in memory are 4');
      continue;
    }
    within(card.layerBytes[30] as number, layer, 0.002, `${bits} bits, expert layer`);
    within(card.layerBytes[0] as number, dense, 0.002, `${bits} bits, dense layer`);
    within(card.headBytes, head, 0.002, `${bits} bits, head`);
    within(modelBytes(card), card.fileBytes, 1e-9, `${bits} bits, memory`);
    assert.ok((card.layerBytes[30] as number) / (card.layerBytes[0] as number) > 19);
  }
  const card = builtinCard('deepseek-r1-4bit');
  assert.deepEqual([card.layerCount, card.layerKinds.indexOf('experts')], [61, 3]);
  within(activeBytes(card), 20.6e9, 0.01, 'read for a token');
  // 36.6 billion weights meet a token, of the 671
  within(
    card.layerFlops.reduce((sum, flops) => sum + flops, card.headFlops),
    2 * 36.6e9,
    0.005,
    'flops of a token',
  );
  assert.equal(card.kvValuesPerTokenLayer * 2 * 61, 70_272);
});

test('the distilled models have as many weights as their makers say', () => {
  const published: Record<string, number> = {
    'deepseek-r1-distill-qwen-1.5b': 1.777e9,
    'deepseek-r1-distill-qwen-7b': 7.616e9,
    'deepseek-r1-distill-qwen-14b': 14.77e9,
    'deepseek-r1-distill-qwen-32b': 32.76e9,
    'deepseek-r1-distill-llama-8b': 8.03e9,
    'deepseek-r1-distill-llama-70b': 70.55e9,
    'deepseek-r1-0528-qwen3-8b': 8.19e9,
  };
  for (const [name, weights] of Object.entries(published)) {
    within(builtinCard(`${name}-bf16`).fileBytes / 2, weights, 0.002, name);
    within(builtinCard(`${name}-4bit`).fileBytes, (weights * 4.5) / 8, 0.002, `${name}, 4 bits`);
    within(builtinCard(`${name}-8bit`).fileBytes, (weights * 8.5) / 8, 0.002, `${name}, 8 bits`);
  }
});

test('the list of tensors of a config is that of the real files', async () => {
  const dirs = parityModels.map(({ name, dir }) => ({ name, dir }));
  let compared = 0;
  for (const { name, dir } of [...dirs, { name: 'demo', dir: demoModelDir }]) {
    const folder = await openModelFolder(dir);
    const real = await readTensorInfos(folder, folder.fileOf.keys());
    // other layouts of the same weights, and checkpoints with biases or scales of another type, are not the converter's
    const isOther = [...real].some(([tensor, { dtype }]) => {
      const isKnown = modelTensors(folder.config).has(tensor);
      return !isKnown || dtype === 'F32' || dtype === 'F16';
    });
    const card = cardOf(name, folder.config, real);
    const made = cardOf(name, folder.config, modelTensors(folder.config));
    assert.equal(made.kvValuesPerTokenLayer, card.kvValuesPerTokenLayer, name);
    if (isOther) continue;
    compared += 1;
    assert.deepEqual(made, card, name);
  }
  assert.ok(compared >= 4, `only ${compared} models could be compared`);
});

test('flops and active bytes of a folder count the chosen experts alone', async () => {
  const folder = await openModelFolder(demoModelDir);
  const card = cardOf('demo', folder.config, await readTensorInfos(folder, folder.fileOf.keys()));
  // 2 of 8 experts and the shared one of 64 × 256, three products each; the router; attention
  const attention = 256 * 128 + 128 * 4 * 96 + 256 * (64 + 32) + 64 * 4 * 128 + 4 * 64 * 256;
  const expected = 2 * (3 * (3 * 64 * 256) + 8 * 256 + attention);
  assert.equal(card.layerFlops[5], expected);
  assert.deepEqual(card.experts, { total: 8, chosen: 2 });
  assert.equal(card.headFlops, 2 * 1024 * 256);
});

test('names: any case, 4 bits when none are said, and the list when there is none', () => {
  assert.equal(builtinCard('DeepSeek-R1').id, 'deepseek-r1-4bit');
  assert.equal(builtinCard('DEEPSEEK-R1-8BIT').quantization, '8-bit');
  assert.throws(() => builtinCard('deepseek-r2'), {
    code: 'bad_option',
    message: /deepseek-r1-3bit, .*bf16/,
  });
  for (const name of BUILTIN_NAMES) assert.equal(builtinCard(name).id, name);
});

test('smaller variants: those that take less memory, the largest first', () => {
  const ids = (name: string) => smallerVariants(builtinCard(name)).map(({ id }) => id);
  assert.deepEqual(ids('deepseek-r1-8bit'), ['deepseek-r1-4bit', 'deepseek-r1-3bit']);
  assert.deepEqual(ids('deepseek-r1-4bit'), [], '3 bits take as much memory as 4');
  assert.deepEqual(ids('deepseek-r1-distill-qwen-7b-bf16'), [
    'deepseek-r1-distill-qwen-7b-8bit',
    'deepseek-r1-distill-qwen-7b-4bit',
  ]);
});
