// Pulls of a folder: how they are found again, and that the hub hears nothing of them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pino } from 'pino';
import { ModelStore, type ModelStoreDeps } from '../../../controller/models/model-store.ts';
import type { Shelf, Shelved } from '../../../controller/models/shelf.ts';
import { StoreAsks } from '../../../controller/models/store-asks.ts';
import { EspalierError } from '../../../protocol/errors.ts';
import type { StoreEvent } from '../../../protocol/store.ts';
import { newIdentity } from '../../support/identities.ts';
import { until } from '../../support/until.ts';

const MODEL: Shelved = {
  repo: 'local/r1',
  commit: 'c'.repeat(40),
  files: [{ path: 'model.safetensors', sizeBytes: 1_000, blob: 'a'.repeat(64) }],
  licence: null,
  facts: null,
  replicas: 1,
};

/** A store over one node, which describes every folder as MODEL. @returns it, and what the node was asked */
async function setUp(shelf: Partial<Shelf>) {
  const asked: string[] = [];
  const asks: StoreAsks = new StoreAsks((id, question) => {
    asked.push(question.kind);
    if (question.kind !== 'store-import') return;
    const event: StoreEvent = { kind: 'store-described', askId: question.askId, model: MODEL };
    setImmediate(() => asks.receive(id, event));
  });
  const deps: ModelStoreDeps = {
    nodes: {
      asks,
      connected: () => [{ id: 'a', name: 'a' }],
      nameOf: (id) => id,
      keyOf: () => 'sha256:key',
      ways: () => [],
      gbps: () => 1,
      whileFetching: (task) => task(),
      addressOf: () => ({ host: '127.0.0.1', port: 1 }),
    },
    shelf: shelf as Shelf,
    credentials: await newIdentity(),
    planFor: () => assert.fail('nothing is planned here'),
    inUse: () => undefined,
    note: () => undefined,
    onChange: () => undefined,
    log: pino({ level: 'silent' }),
  };
  return { store: new ModelStore(deps), asked };
}

test('a folder that is being pulled is known by its path, too: it is not read a second time', async (t) => {
  const { store, asked } = await setUp({
    find: async () => undefined,
    put: () => new Promise(() => undefined),
  });
  t.after(() => store.stop());
  const first = store.pull({ model: '/models/r1', replicas: 1 });
  await until(() => store.pulls()[0]?.model === 'local/r1', 'the name of the folder’s model');
  assert.equal(store.pulls()[0]?.asked, '/models/r1');
  assert.equal(store.pull({ model: '/models/r1', replicas: 1 }).id, first.id);
  assert.equal(store.pull({ model: 'local/r1', replicas: 1 }).id, first.id);
  assert.deepEqual(asked, ['store-import']);
  assert.equal(store.cancel('/models/r1').id, first.id);
});

test('a folder’s model that is stored goes on without a word to the hub', async () => {
  const opened: string[] = [];
  const { store, asked } = await setUp({
    find: async () => MODEL,
    open: async ({ repo }) => {
      opened.push(repo);
      throw new EspalierError('model_unsupported', 'no farther here');
    },
  });
  store.pull({ model: 'local/r1', replicas: 1 });
  await until(() => store.pulls()[0]?.state === 'failed', 'the end of the pull');
  assert.deepEqual([opened, asked], [['local/r1'], []]);
});

test('a folder’s model that is not stored is refused before the hub is asked', async () => {
  const { store, asked } = await setUp({ find: async () => undefined });
  store.pull({ model: 'local/r1', replicas: 1 });
  await until(() => store.pulls()[0]?.state === 'failed', 'the end of the pull');
  const { failure } = store.pulls()[0] ?? {};
  assert.equal(failure?.code, 'model_not_stored');
  assert.match(failure?.message ?? '', /pull the folder by its absolute path/);
  assert.deepEqual(asked, []);
});
