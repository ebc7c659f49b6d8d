// What a node tells of its draft: also while that loads. The worker is real.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { pino } from 'pino';
import { DraftHost } from '../../agent/draft-host.ts';
import type { ControlEvent } from '../../protocol/control.ts';
import { openModelFolder } from '../../protocol/model-folder.ts';
import { newIdentity } from '../support/identities.ts';
import { demoModelDir } from '../support/paths.ts';

test('a draft is told of from its beginning to its end', async (t) => {
  const told: ControlEvent[] = [];
  const identity = await newIdentity();
  const { fingerprint: modelFingerprint } = await openModelFolder(demoModelDir);
  const rankHome = { enginesDir: '/nowhere', node: 'node' };
  const host = new DraftHost(identity, rankHome, pino({ level: 'silent' }), (event) => told.push(event));
  t.after(() => host.stop());
  assert.equal(host.held, null);
  const place = { epoch: 3, index: 0, stageCount: 1, range: { start: 0, end: 4 }, modelFingerprint };
  const room = {
    contextTokens: 512,
    maxSessions: 4,
    kvTokens: 512,
    prefillChunkTokens: 64,
    maxChunkScores: 1e9,
  };
  const { fingerprint } = identity;
  const hop = { hopToken: 'a secret of this draft', neighbours: { before: fingerprint, after: fingerprint } };
  const spec = { ...place, ...room, ...hop, role: 'draft' as const, modelDir: demoModelDir };
  host.handle({ kind: 'draft-deploy', spec }, '127.0.0.1');
  await setImmediate();
  assert.deepEqual(told, [], 'it loads');
  assert.deepEqual(host.held, place);
  await host.stop();
  assert.equal(host.held, null);
});
