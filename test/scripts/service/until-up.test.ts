// Whether a LaunchDaemon is up, by what launchd says in the form of its recordings and by who has the home.
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { test } from 'node:test';
import { lockHome } from '../../../protocol/home-lock.ts';
import { saveService } from '../../../scripts/service/saved-services.ts';
import { serviceLog } from '../../../scripts/service/service-spec.ts';
import { serviceState } from '../../../scripts/service/service-states.ts';
import { untilUp } from '../../../scripts/service/until-up.ts';
import { tempHome } from '../../support/temp-home.ts';

const print = (fields: string) => `system/org.espalier.agent = {\n\tactive count = 1\n${fields}}\n`;
const GONE = print('\tstate = not running\n\truns = 3\n\tlast exit code = 2\n');
const FRESH = print('\tstate = spawn scheduled\n\truns = 0\n\tlast exit code = (never exited)\n');
const RUNS = print(`\tstate = running\n\tpid = ${process.pid}\n\tlast exit code = 2\n`);

/** A home whose agent is a LaunchDaemon, and a launchd that says these things in turn, the last for ever. */
function daemon(...answers: string[]) {
  const home = tempHome();
  mkdirSync(home, { mode: 0o700 });
  saveService(home, 'agent', { how: 'launchd', args: [] });
  const run = async () => ({
    exitCode: 0,
    output: (answers.length > 1 ? answers.shift() : answers[0]) ?? '',
  });
  return { home, run };
}

test('it runs when its process has the home', async () => {
  const tools = daemon(FRESH, RUNS);
  assert.equal((await serviceState('agent', tools)).state, 'stopped');
  assert.equal((await serviceState('agent', tools)).state, 'starts');
  lockHome(tools.home, 'agent');
  assert.equal((await serviceState('agent', tools)).state, 'runs');
  await untilUp('agent', tools);
});

test('one that ends is told with its last words, and how to end it', async () => {
  const tools = daemon(FRESH, RUNS, GONE);
  const log = serviceLog(tools.home, 'agent');
  mkdirSync(dirname(log));
  writeFileSync(log, 'much\nthat was before\nport 7118 is taken\n');
  await assert.rejects(untilUp('agent', tools), {
    code: 'service_failed',
    message: /uninstall agent`: that was before port 7118 is taken$/,
  });
  assert.equal((await serviceState('agent', tools)).state, 'fails');
});
