// The wizard's list of models, from what a controller tells and what lies on this machine.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { builtinCard } from '../../../controller/models/builtin.ts';
import { EspalierError } from '../../../protocol/errors.ts';
import type { CatalogueEntry, StoredModel } from '../../../protocol/models.ts';
import { type ModelScene, modelOffers } from '../../../scripts/setup-steps/model-offers.ts';

const entry = (repo: string, bytes: number, tokensPerSecond: number | null): CatalogueEntry => ({
  repo,
  card: 'deepseek-r1-4bit',
  licence: 'mit',
  bits: 4,
  fileBytes: bytes,
  memoryBytes: bytes,
  fits: tokensPerSecond !== null,
  nodes: null,
  tokensPerSecond,
  reason: tokensPerSecond === null ? 'too large' : null,
});

const stored = (id: string, state: StoredModel['state']): StoredModel => ({
  id,
  commit: null,
  state,
  source: 'store',
  architecture: 'qwen2',
  quantization: '4-bit',
  layerCount: 4,
  sizeBytes: 10,
  licence: 'mit',
  heldBy: [],
  missingFiles: 0,
});

const card = { ...builtinCard('deepseek-r1-distill-qwen-7b-4bit'), fileBytes: 30 };

const scene: ModelScene = {
  stored: [stored('a/kept', 'ready'), stored('a/begun', 'partial'), stored('a/narrow', 'ready')],
  catalogue: [
    entry('a/huge', 900, null),
    entry('a/begun', 50, 5),
    entry('a/cached', 40, 6),
    entry('a/far', 20, 7),
  ],
  local: [
    { name: 'a/cached', dir: '/cache/a', card },
    { name: '/models/mine', dir: '/models/mine', card },
  ],
  async costOf(model) {
    if (model === 'a/narrow') throw new EspalierError('not_enough_nodes', '1 GB is missing');
    return {
      ...{ model, replaces: null, missingBytes: 0, loadBytes: 0, nodes: 1, loadSeconds: 0, requests: 0 },
      tokensPerSecond: 9,
    };
  },
  predictLocal: () => 3,
};

test('each model once, those that fit first, of them the largest; what the controller predicts comes first', async () => {
  const offers = await modelOffers(scene);
  assert.deepEqual(
    offers.map(({ name, place, predicted, refused }) => [name, place, predicted ?? refused]),
    [
      ['a/cached', 'local', 6],
      ['/models/mine', 'local', 3],
      ['a/far', 'hub', 7],
      ['a/kept', 'stored', 9],
      ['a/begun', 'partial', 9],
      ['a/huge', 'hub', 'too large'],
      ['a/narrow', 'stored', '1 GB is missing'],
    ],
  );
});

test('a folder that does not fit says why; another failure is none of it', async () => {
  const alone = { ...scene, stored: [], catalogue: [] };
  const refuse = (error: Error) => ({
    ...alone,
    predictLocal: () => {
      throw error;
    },
  });
  const [first] = await modelOffers(refuse(new EspalierError('not_enough_nodes', '2 GB are missing')));
  assert.deepEqual([first?.predicted, first?.refused], [null, '2 GB are missing']);
  await assert.rejects(modelOffers(refuse(new TypeError('a bug'))), TypeError);
});
