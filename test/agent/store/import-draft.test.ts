// A folder with a draft of its own, taken into a node's store: the draft stays behind, and the log says so.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { pino } from 'pino';
import { hubSettings } from '../../../agent/store/hub-settings.ts';
import { StoreHost } from '../../../agent/store/store-host.ts';
import type { StoreEvent } from '../../../protocol/store.ts';
import { newIdentity } from '../../support/identities.ts';

test('a folder’s own draft is not stored, and the log says so', async (t) => {
  const home = mkdtempSync(join(tmpdir(), 'espalier-import-'));
  t.after(() => rmSync(home, { recursive: true, force: true }));
  const folder = join(home, 'r1');
  mkdirSync(join(folder, 'draft'), { recursive: true });
  for (const path of ['config.json', 'model.safetensors', 'draft/config.json'])
    writeFileSync(join(folder, path), '{}');
  const lines: string[] = [];
  const told = Promise.withResolvers<StoreEvent>();
  const host = new StoreHost({
    settings: hubSettings({}, join(home, 'store')),
    credentials: await newIdentity(),
    log: pino({ level: 'warn' }, { write: (line) => void lines.push(line) }),
    tell: (event) => told.resolve(event),
  });
  host.handle({ kind: 'store-import', askId: 'ask-1', folder });
  const event = await told.promise;
  assert.equal(event.kind, 'store-described');
  assert.deepEqual(event.kind === 'store-described' && event.model.files.map(({ path }) => path), [
    'config.json',
    'model.safetensors',
  ]);
  assert.equal(lines.length, 1);
  assert.match(
    lines[0] ?? '',
    /r1 has a draft of its own, which is not stored with it: name it with --draft/,
  );
});
