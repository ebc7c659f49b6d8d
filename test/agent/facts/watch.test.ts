// The watch over a machine's facts: the first come by themselves, and stopping ends the commands that are under way.
import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { pino } from 'pino';
import { MAC_COMMANDS } from '../../../agent/facts/mac/commands.ts';
import { FactsWatch } from '../../../agent/facts/watch.ts';
import type { MachineFacts } from '../../../protocol/facts.ts';
import { until } from '../../support/until.ts';

const log = pino({ level: 'silent' });

test('the first facts come without being asked for, and are there for the hello', async (t) => {
  const told: MachineFacts[] = [];
  const listener = {
    onFacts: (facts: MachineFacts) => told.push(facts),
    onLoad: () => {},
    isHeard: () => true,
  };
  const watch = new FactsWatch(listener, log, { platform: 'linux' });
  t.after(() => watch.stop());
  assert.equal(watch.facts, undefined);
  await until(() => told.length > 0, 'the first facts');
  assert.equal(watch.facts, told[0]);
});

test('a machine whose commands hang: stopping ends them, and nothing is told', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-watch-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const pids = join(folder, 'pids');
  for (const file of new Set(Object.values(MAC_COMMANDS).map((command) => command.file))) {
    writeFileSync(join(folder, file), `#!/bin/sh\necho $$ >> '${pids}'\nexec /bin/sleep 600\n`);
    chmodSync(join(folder, file), 0o755);
  }
  let told = 0;
  const listener = { onFacts: () => (told += 1), onLoad: () => {}, isHeard: () => false };
  const watch = new FactsWatch(listener, log, { platform: 'darwin', searchPath: folder });
  await until(() => existsSync(pids) && readFileSync(pids, 'utf8').split('\n').length > 4, 'commands');
  await watch.stop();
  assert.equal(told, 0);
  for (const pid of readFileSync(pids, 'utf8').trim().split('\n')) {
    assert.throws(() => process.kill(Number(pid), 0), /ESRCH/);
  }
});
