// What brings the files of a deployment, over a shelf that is played: who may end it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ModelStore, type ModelStoreDeps } from '../../../controller/models/model-store.ts';

const REPO = 'tests/model';
const PLAN = { engine: 'node-mlx', stages: [] } as const;

/** A store of one model, whose files come for as long as the test does not end that. */
function setUp() {
  const opened = Promise.withResolvers<never>();
  const shelf = { list: async () => [{ repo: REPO, commit: 'c' }], open: () => opened.promise };
  const nodes = { nameOf: (id: string) => id };
  const store = new ModelStore({ shelf, nodes, note: () => undefined } as unknown as ModelStoreDeps);
  return { store, end: () => opened.reject(new Error('ended')) };
}

test('the fetch of a deployment cannot be cancelled: it would be begun anew', async () => {
  const { store, end } = setUp();
  const fetched = store.ensureDeployed(REPO, PLAN);
  await new Promise(setImmediate);
  assert.throws(() => store.cancel(REPO), { code: 'model_in_use', message: /is being deployed/ });
  end();
  await assert.rejects(fetched, /ended/);
});

test('what a switch to a model fetches can be cancelled', async () => {
  const { store, end } = setUp();
  const fetched = store.ensure(REPO, PLAN);
  await new Promise(setImmediate);
  assert.equal(store.cancel(REPO).state, 'cancelled');
  end();
  await assert.rejects(fetched, /not fetched any more/);
});

test('a deployment that another model takes the place of fetches no longer', async () => {
  const { store, end } = setUp();
  const fetched = store.ensureDeployed(REPO, PLAN);
  await new Promise(setImmediate);
  store.leaveDeployed();
  end();
  await assert.rejects(fetched, /not fetched any more/);
});
