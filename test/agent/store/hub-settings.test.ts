// Which cache, hub and token the environment means, as Hugging Face's own tools read it; and a hub that asks for the token.
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Hub } from '../../../agent/store/hub.ts';
import { hubSettings } from '../../../agent/store/hub-settings.ts';
import { LocalHub } from '../../../scripts/hub/local-hub.ts';
import { tempHome } from '../../support/temp-home.ts';

test('the cache is where huggingface_hub has it', () => {
  const cacheOf = (environment: NodeJS.ProcessEnv) => hubSettings(environment).cacheDir;
  assert.equal(cacheOf({}), join(homedir(), '.cache/huggingface/hub'));
  assert.equal(cacheOf({ XDG_CACHE_HOME: '/c' }), '/c/huggingface/hub');
  assert.equal(cacheOf({ HF_HOME: '/Volumes/models/hf', XDG_CACHE_HOME: '/c' }), '/Volumes/models/hf/hub');
  assert.equal(cacheOf({ HF_HUB_CACHE: '~/hub', HF_HOME: '/x' }), join(homedir(), 'hub'));
  assert.equal(hubSettings({ HF_HOME: '/x' }, '/chosen').cacheDir, '/chosen');
  assert.equal(hubSettings({}).endpoint, 'https://huggingface.co');
  assert.equal(hubSettings({ HF_ENDPOINT: 'http://hub.local/' }).endpoint, 'http://hub.local');
});

test('a repository that is not open to all takes a token, from the environment or from where people log in', async () => {
  const home = tempHome();
  mkdirSync(join(home, 'repo'), { recursive: true });
  writeFileSync(join(home, 'repo', 'config.json'), '{}');
  const hub = await LocalHub.up({ repos: { 'tests/gated': join(home, 'repo') }, token: 'hf_secret' });
  const nobody = new AbortController().signal;
  const describe = (environment: NodeJS.ProcessEnv) =>
    new Hub(hubSettings({ HF_ENDPOINT: hub.url, HF_HOME: home, ...environment })).describe(
      'tests/gated',
      'main',
      nobody,
    );
  try {
    await assert.rejects(describe({}), { code: 'model_access_denied', message: /tests\/gated/ });
    assert.equal((await describe({ HF_TOKEN: 'hf_secret' })).repo, 'tests/gated');
    writeFileSync(join(home, 'token'), 'hf_secret\n');
    assert.equal((await describe({})).repo, 'tests/gated');
    await assert.rejects(describe({ HF_TOKEN: 'hf_wrong' }), { code: 'model_access_denied' });
  } finally {
    await hub.down();
  }
});
