import assert from 'node:assert/strict';
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { formatArgv, type SystemChange } from '../../../protocol/system-change.ts';
import { applyChange, undoChange } from '../../../scripts/system-changes/change-system.ts';
import { ChangeJournal } from '../../../scripts/system-changes/journal.ts';
import { asRoot, runArgv, runPatiently } from '../../../scripts/system-changes/run-argv.ts';
import { tempHome } from '../../support/temp-home.ts';

/** Real commands on a folder of the test. */
function changes(home: string): SystemChange[] {
  const at = (name: string) => join(home, name);
  return ['one', 'two'].map((name) => ({
    id: name,
    description: `make ${name}`,
    why: 'the test wants it',
    needsRoot: false,
    files: [{ path: at(`${name}.staged`), text: `${name}\n` }],
    apply: [['cp', at(`${name}.staged`), at(name)]],
    undo: [['rm', at(name)]],
  }));
}

function tools(home: string) {
  return { journal: new ChangeJournal(home), run: runArgv, canAsk: false };
}

test('a change is recorded as one line, made by its commands, and taken back', async () => {
  const home = tempHome();
  const [one, two] = changes(home) as [SystemChange, SystemChange];
  await applyChange(one, tools(home));
  await applyChange(two, tools(home));
  assert.equal(readFileSync(join(home, 'two'), 'utf8'), 'two\n');
  const lines = readFileSync(join(home, 'system-changes.jsonl'), 'utf8').trim().split('\n');
  const [first] = lines.map((line) => JSON.parse(line));
  assert.deepEqual(
    { ...first, time: 'then' },
    {
      time: 'then',
      id: 'one',
      description: 'make one',
      needsRoot: false,
      apply: one.apply,
      undo: one.undo,
    },
  );
  const { journal } = tools(home);
  assert.deepEqual(
    journal.read().map(({ id }) => id),
    ['one', 'two'],
  );
  for (const record of journal.read().reverse()) await undoChange(record, tools(home));
  assert.ok(!existsSync(join(home, 'one')) && !existsSync(join(home, 'two')));
  assert.ok(!existsSync(join(home, 'system-changes.jsonl')));
});

test('the first command fails: nothing was done, and nothing is recorded', async () => {
  const home = tempHome();
  const [one] = changes(home) as [SystemChange];
  const bad = { ...one, apply: [['false'], ...one.apply] };
  await assert.rejects(applyChange(bad, tools(home)), {
    code: 'system_change_failed',
    message: '`false` ended with 1.',
  });
  assert.deepEqual(tools(home).journal.read(), []);
});

test('a later command fails, or is not there: what was done before it stays recorded, and can be undone', async () => {
  const home = tempHome();
  const [one] = changes(home) as [SystemChange];
  const bad = { ...one, apply: [...one.apply, ['no-such-command-here']] };
  await assert.rejects(
    applyChange(bad, tools(home)),
    /no-such-command-here: there is no such command here.*--undo/,
  );
  const [record] = tools(home).journal.read();
  assert.ok(record);
  await undoChange(record, tools(home));
  assert.ok(!existsSync(join(home, 'one')));
});

test('an undo that fails goes on with its other commands, and stays recorded', async () => {
  const home = tempHome();
  const [one] = changes(home) as [SystemChange];
  await applyChange({ ...one, undo: [['false'], ...one.undo] }, tools(home));
  const [record] = tools(home).journal.read();
  assert.ok(record);
  await assert.rejects(undoChange(record, tools(home)), { code: 'system_change_failed' });
  assert.ok(!existsSync(join(home, 'one')));
  assert.equal(tools(home).journal.read().length, 1);
});

test('a record that others could have written is not run', async () => {
  const home = tempHome();
  const [one] = changes(home) as [SystemChange];
  const { journal } = tools(home);
  await applyChange(one, tools(home));
  chmodSync(journal.path, 0o666);
  assert.throws(() => journal.read(), { code: 'home_damaged' });
  chmodSync(journal.path, 0o600);
  writeFileSync(journal.path, 'rm -rf /\n');
  assert.throws(() => journal.read(), /line 1 is no record of a change/);
});

test('launchd that is still busy is asked again', async () => {
  const codes = [5, 37, 0];
  const asked: string[] = [];
  const run = async (argv: readonly string[]) => {
    asked.push(argv.join(' '));
    return { exitCode: codes.shift() ?? null, output: '' };
  };
  const bootstrap = ['/bin/launchctl', 'bootstrap', 'system', '/x.plist'];
  assert.equal((await runPatiently(bootstrap, run, 0)).exitCode, 0);
  assert.equal(asked.length, 3);
  codes.push(5);
  assert.equal((await runPatiently(['/bin/launchctl', 'bootout', 'system/x'], run, 0)).exitCode, 5);
});

test('commands are shown as they are typed, and run as root where they must', () => {
  assert.equal(formatArgv(['a', '-b', "it's", 'C d', '']), `a -b 'it'\\''s' 'C d' ''`);
  const isRoot = process.getuid?.() === 0;
  assert.deepEqual(asRoot(['pmset'], true, true), isRoot ? ['pmset'] : ['sudo', 'pmset']);
  assert.deepEqual(asRoot(['sudo', 'pmset'], true, false), isRoot ? ['pmset'] : ['sudo', '-n', 'pmset']);
  assert.deepEqual(asRoot(['pmset'], false, true), ['pmset']);
});
