// Which files each node is to hold, on an index of eight layers in four files.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type PlanOfFiles, planNeeds } from '../../../controller/models/needs.ts';

const blob = 'b'.repeat(64);
const paths = [
  'config.json',
  'tokenizer.json',
  'w1.safetensors',
  'w2.safetensors',
  'w3.safetensors',
  'w4.safetensors',
];
const files = paths.map((path) => ({ path, sizeBytes: 10, blob }));
const fileOf = new Map<string, string>([['model.embed_tokens.weight', 'w1.safetensors']]);
for (let layer = 0; layer < 8; layer += 1)
  fileOf.set(`model.layers.${layer}.mlp.up_proj.weight`, `w${1 + Math.floor(layer / 2)}.safetensors`);
// one beyond the last layer, as checkpoints with a head for guessing have it
fileOf.set('model.layers.8.mlp.up_proj.weight', 'w5.safetensors');
fileOf.set('model.norm.weight', 'w4.safetensors');
fileOf.set('lm_head.weight', 'w4.safetensors');
const map = { files, fileOf, layerCount: 8, isHeadTied: false };
const plan: PlanOfFiles = {
  engine: 'node-mlx',
  stages: [
    { nodeId: 'a', range: { start: 0, end: 3 } },
    { nodeId: 'b', range: { start: 3, end: 5 } },
    { nodeId: 'c', range: { start: 5, end: 8 } },
  ],
};

const weights = (needs: ReturnType<typeof planNeeds>) =>
  Object.fromEntries(
    needs.map(({ nodeId, files: own }) => [
      nodeId,
      own.flatMap(({ path }) => (path.endsWith('.safetensors') ? path.slice(1, 2) : [])).join(''),
    ]),
  );

test('a node gets the files that hold its layers, whole, and the text files', () => {
  const needs = planNeeds(map, plan, ['spare'], 1);
  assert.deepEqual(weights(needs), { a: '12', b: '23', c: '34' });
  for (const { files: own } of needs)
    assert.deepEqual(
      own.slice(0, 2).map(({ path }) => path),
      paths.slice(0, 2),
    );
});

test('the last stage reads a tied embedding, too', () => {
  assert.equal(weights(planNeeds({ ...map, isHeadTied: true }, plan, [], 1)).c, '134');
});

test('copies for when a node dies lie with its neighbours, and nobody without a stage is left out where more are wanted', () => {
  const two = weights(planNeeds(map, plan, ['spare'], 2));
  assert.deepEqual(two, { a: '12', b: '123', c: '34', spare: '4' } satisfies typeof two);
  const all = planNeeds(map, plan, ['spare'], 9);
  assert.deepEqual(Object.values(weights(all)), ['1234', '1234', '1234', '1234']);
});

test('a model in one file is on every node of the plan', () => {
  const one = new Map([...fileOf.keys()].map((tensor) => [tensor, 'model.safetensors']));
  const single = {
    ...map,
    files: [...files.slice(0, 2), { path: 'model.safetensors', sizeBytes: 9, blob }],
    fileOf: one,
  };
  for (const { files: own } of planNeeds(single, plan, [], 1)) assert.equal(own.length, 3);
});

test("MLX's ranks hold embedding, norm and head each, also where these lie in files of their own", () => {
  const apart = new Map(fileOf);
  apart.set('model.embed_tokens.weight', 'w0.safetensors');
  apart.set('lm_head.weight', 'w9.safetensors');
  const more = ['w0', 'w9'].map((name) => ({ path: `${name}.safetensors`, sizeBytes: 10, blob }));
  const other = { ...map, files: [...files, ...more], fileOf: apart };
  assert.deepEqual(weights(planNeeds(other, plan, [], 1)), { a: '120', b: '23', c: '349' });
  const ranks: PlanOfFiles = { ...plan, engine: 'mlx-distributed' };
  // the norm lies beside the last layers
  assert.deepEqual(weights(planNeeds(other, ranks, [], 1)), { a: '12409', b: '23409', c: '3409' });
});
