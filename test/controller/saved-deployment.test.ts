// The deployment that a controller leaves behind, in a real file.
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { DeploymentStore } from '../../controller/saved-deployment.ts';
import { createLog } from '../../protocol/log.ts';
import { DEFAULT_PLANNING } from '../../protocol/plan.ts';
import { Story } from './cluster/story.ts';

const log = createLog('test');
log.level = 'silent';

test('it is found again for the same question, and for no other one', async (t) => {
  const home = await mkdtemp(join(tmpdir(), 'espalier-test-'));
  t.after(() => rm(home, { recursive: true, force: true }));
  const story = new Story({ wantedNodes: 2 });
  story.serve('a', 'b');
  const { previous, planning } = story.cluster;
  assert.ok(previous);
  const asked = { modelFingerprint: 'f1', planning, wantedNodes: 2 };
  const store = new DeploymentStore(home, asked, log);
  assert.equal(await store.read(), undefined);
  await store.save(previous);
  assert.deepEqual(await new DeploymentStore(home, asked, log).read(), previous);
  // as it is asked for, and as it is after another model was deployed meanwhile
  const guessing = { ...asked, planning: { ...planning, guessYield: 0.25 } };
  assert.deepEqual(await new DeploymentStore(home, guessing, log).read(), previous);
  store.use({ ...asked, planning: undefined });
  await store.save(previous);
  const usual = { ...asked, planning: { ...DEFAULT_PLANNING, guessYield: 0 } };
  assert.deepEqual(await new DeploymentStore(home, usual, log).read(), previous);
  store.use(asked);
  await store.save(previous);
  for (const other of [
    { ...asked, modelFingerprint: 'f2' },
    { ...asked, wantedNodes: 3 },
    // the first stage has less room beside a draft
    { ...asked, draftBytes: 1e9 },
    { ...asked, planning: { ...planning, layers: [4, 8] } },
  ]) {
    assert.equal(await new DeploymentStore(home, other, log).read(), undefined);
  }
  await writeFile(join(home, 'deployment.json'), '{');
  assert.equal(await store.read(), undefined);
});
