// The model store over a real cluster: a hub on this machine, three agents with stores of their own, and a sharded model that
// answers as the demo model does.
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { open, readdir, readFile, realpath, stat, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { z } from 'zod';
import {
  CatalogueReport,
  DEPLOYMENT_PATH,
  DeploymentReport,
  MODELS_PATH,
  ModelsReport,
  PULL_MODEL_PATH,
  PullAnswer,
  type PullProgress,
  REMOVE_MODEL_PATH,
  RemovedAnswer,
  SEARCH_MODELS_PATH,
  SearchReport,
  SwitchAnswer,
  VERIFY_MODEL_PATH,
} from '../../protocol/models.ts';
import { LocalHub } from '../../scripts/hub/local-hub.ts';
import { shardModel } from '../../scripts/hub/shard-model.ts';
import { TestCluster } from '../support/cluster.ts';
import { demoModelDir } from '../support/paths.ts';
import { referenceCases } from '../support/reference.ts';
import { until } from '../support/until.ts';

const REPO = 'tests/sharded-demo';
const SHARDS = 6;
const folder = mkdtempSync(join(tmpdir(), 'espalier-models-'));
const ListedModels = z.object({ data: z.array(z.object({ id: z.string(), state: z.string() })) });
const [reference] = referenceCases;

describe('models of a hub on three nodes', () => {
  let hub: LocalHub;
  let cluster: TestCluster;
  before(async () => {
    await shardModel({ from: demoModelDir, to: join(folder, 'repo'), shards: SHARDS });
    hub = await LocalHub.up({ repos: { [REPO]: join(folder, 'repo') } });
    process.env.HF_ENDPOINT = hub.url;
    cluster = await TestCluster.up({ nodes: 3, stores: { folder } });
  });
  after(async () => {
    await cluster?.down();
    await hub?.down();
    delete process.env.HF_ENDPOINT;
    rmSync(folder, { recursive: true, force: true });
  });

  const get = async (path: string): Promise<unknown> => (await fetch(`${cluster.url}${path}`)).json();
  const models = async () => ModelsReport.parse(await get(MODELS_PATH));
  /** the names of the files that a node holds, whole */
  const filesOf = (node: string) => {
    const snapshot = join(folder, node, 'models--tests--sharded-demo', 'snapshots', hub.commit(REPO));
    return readdirSync(snapshot).sort();
  };
  const ended = async (id: string): Promise<PullProgress> => {
    let pull: PullProgress | undefined;
    await until(async () => {
      pull = (await models()).pulls.find((each) => each.id === id);
      return pull?.state === 'done' || pull?.state === 'failed';
    }, 'the end of a pull');
    return pull as PullProgress;
  };

  test('who shows no key reads, and pulls nothing', async () => {
    const found = SearchReport.parse(await get(`${SEARCH_MODELS_PATH}?q=sharded`));
    assert.deepEqual(
      found.models.map(({ repo }) => repo),
      [REPO],
    );
    const response = await fetch(`${cluster.url}${PULL_MODEL_PATH}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: REPO }),
    });
    assert.equal(response.status, 403);
    const { models: entries } = CatalogueReport.parse(await get('/cluster/v1/models/catalogue'));
    assert.ok(entries.length > 10);
    const fits = entries.map((entry) => entry.fits);
    assert.deepEqual(fits, [...fits].sort().reverse(), 'what fits comes first');
    for (const entry of entries) assert.equal(entry.reason === null, entry.fits, entry.repo);
  });

  test('a pull brings each file over the internet once, and each node its own', async () => {
    const { pull } = PullAnswer.parse(await (await cluster.post(PULL_MODEL_PATH, { model: REPO })).json());
    const done = await ended(pull.id);
    assert.deepEqual([done.state, done.failure], ['done', null]);
    assert.equal(done.commit, hub.commit(REPO));
    const files = hub.files(REPO);
    const once = files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    let headerBytes = 0;
    for (const { path } of files) if (path.endsWith('.safetensors')) headerBytes += await headerLength(path);
    assert.equal(
      hub.totalSentBytes,
      once + headerBytes,
      'one copy, and the headers that the plan is made from',
    );
    // three stages of four layers, six shards of two; the text files are everywhere
    const text = files.filter(({ path }) => !path.endsWith('.safetensors')).map(({ path }) => path);
    const shards = new Set<string>();
    for (const node of ['node-1', 'node-2', 'node-3']) {
      const held = filesOf(node);
      assert.deepEqual(
        held.filter((path) => !path.endsWith('.safetensors')),
        text,
      );
      assert.equal(held.length, text.length + 2, `${node} holds its shards alone`);
      for (const path of held) if (path.endsWith('.safetensors')) shards.add(path);
    }
    assert.equal(shards.size, SHARDS);
    const [stored] = (await models()).models.filter(({ id }) => id === REPO);
    assert.deepEqual([stored?.state, stored?.missingFiles, stored?.heldBy?.length], ['ready', 0, 3]);
  });

  test('a second pull moves nothing', async () => {
    const before = hub.totalSentBytes;
    const { pull } = PullAnswer.parse(await (await cluster.post(PULL_MODEL_PATH, { model: REPO })).json());
    const done = await ended(pull.id);
    assert.deepEqual([done.state, done.hubBytes, done.copiedBytes], ['done', 0, 0]);
    assert.equal(hub.totalSentBytes, before);
  });

  test('a damaged file is named and fetched anew, even where its size and time are the same', async () => {
    const [victim] = filesOf('node-2').filter((path) => path.endsWith('.safetensors'));
    const path = await blobOf('node-2', victim as string);
    const { mtimeMs, size } = await stat(path);
    const handle = await open(path, 'r+');
    await handle.write(Buffer.from([0xab, 0xcd, 0xef]), 0, 3, size - 100);
    await handle.close();
    // a Date would be rounded, to another millisecond
    await utimes(path, mtimeMs / 1_000, mtimeMs / 1_000);
    const { pull } = PullAnswer.parse(await (await cluster.post(VERIFY_MODEL_PATH, { model: REPO })).json());
    const done = await ended(pull.id);
    assert.deepEqual([done.state, done.damaged], ['done', [`${victim} on node-2`]]);
    const source = await readFile(join(folder, 'repo', victim as string));
    assert.deepEqual(await readFile(await blobOf('node-2', victim as string)), source);
  });

  test('a stored model takes the place of the one that is deployed, and answers as the demo model does', async () => {
    const answer = SwitchAnswer.parse(
      await (await cluster.post(DEPLOYMENT_PATH, { model: 'sharded-demo' })).json(),
    );
    assert.deepEqual([answer.isDeployed, answer.cost.missingBytes, answer.cost.nodes], [false, 0, 3]);
    assert.ok(answer.cost.loadBytes > 0);
    await until(async () => DeploymentReport.parse(await get(DEPLOYMENT_PATH)).model === REPO, 'the switch');
    await cluster.untilServing();
    assert.equal(cluster.controller.status().model?.id, REPO);
    const tokens = await cluster.generate(reference?.prompt_ids ?? []);
    assert.deepEqual(
      tokens,
      reference?.greedy_ids.filter((id) => id !== 1),
    );
    const { data } = ListedModels.parse(await get('/v1/models'));
    assert.deepEqual(
      data.map(({ id, state }) => [id, state]),
      [
        [REPO, 'deployed'],
        ['espalier-demo', 'known'],
      ],
    );
    assert.equal((await cluster.post(REMOVE_MODEL_PATH, { model: REPO })).status, 409, 'it is in use');
  });

  test('files that are gone when its stages are deployed again are fetched before', async () => {
    const [victim] = filesOf('node-3').filter((path) => path.endsWith('.safetensors'));
    rmSync(await blobOf('node-3', victim as string));
    const before = hub.totalSentBytes;
    await cluster.restartController();
    assert.equal(cluster.controller.status().model?.id, REPO, 'the next controller goes on with it');
    await until(() => filesOf('node-3').includes(victim as string), 'the file');
    assert.ok(hub.totalSentBytes > before);
  });

  test('a request for a stored model deploys it', async () => {
    const chat = (model: string) =>
      cluster.post('/v1/chat/completions', {
        model,
        messages: [{ role: 'user', content: 'Hello' }],
        max_tokens: 4,
      });
    await until(async () => (await chat('espalier-demo')).status === 200, 'an answer of the demo model');
    assert.equal(cluster.controller.status().model?.id, 'espalier-demo');
    assert.equal((await chat('nobody/nothing')).status, 404);
  });

  test('what is removed is gone from every node', async () => {
    const response = await cluster.post(REMOVE_MODEL_PATH, { model: REPO });
    const { nodes } = RemovedAnswer.parse(await response.json());
    assert.deepEqual(nodes, ['node-1', 'node-2', 'node-3']);
    for (const node of nodes) assert.deepEqual(await readdir(join(folder, node)), []);
    assert.deepEqual(
      (await models()).models.map(({ id }) => id),
      ['espalier-demo'],
    );
  });

  const blobOf = (node: string, path: string) =>
    realpath(join(folder, node, 'models--tests--sharded-demo', 'snapshots', hub.commit(REPO), path));

  async function headerLength(path: string): Promise<number> {
    const prefix = (await readFile(join(folder, 'repo', path))).subarray(0, 8);
    return 8 + Number(prefix.readBigUInt64LE(0));
  }
});
