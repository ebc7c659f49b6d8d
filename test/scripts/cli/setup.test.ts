// The wizard as its users have it: three machines that know nothing of one another (three homes on this one, real processes,
// Bonjour on loopback) to a first answer; once by flags, once by keys.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { shownCode } from '../../../agent/trust/code.ts';
import { LocalHub } from '../../../scripts/hub/local-hub.ts';
import { shardModel } from '../../../scripts/hub/shard-model.ts';
import { ALL_CASES } from '../../support/all-cases.ts';
import { demoModelDir } from '../../support/paths.ts';
import { tempHome } from '../../support/temp-home.ts';
import { until } from '../../support/until.ts';
import { CLI, environment, run } from './run.ts';
import { NO_TMUX, Terminal } from './tmux.ts';

const REPO = 'tests/sharded-demo';
const LOOPBACK = ['--host', '127.0.0.1', '--interface', '127.0.0.1'];
const homes = new Set<string>();
const repo = mkdtempSync(join(tmpdir(), 'espalier-setup-'));
let hub: LocalHub;

before(async () => {
  await shardModel({ from: demoModelDir, to: repo, shards: 6 });
  hub = await LocalHub.up({ repos: { [REPO]: repo } });
});

after(async () => {
  for (const home of homes) {
    for (const name of ['controller', 'agent']) {
      await run(['service', 'uninstall', name, '--yes'], { env: { ESPALIER_HOME: home } });
    }
  }
  await hub?.down();
  rmSync(repo, { recursive: true, force: true });
});

/** A machine of its own: its home, its models, and the hub in the place of the real one. */
function machine(home: string): Record<string, string> {
  return { ESPALIER_HOME: home, HOME: home, HF_HOME: join(home, 'hf'), HF_ENDPOINT: hub.url };
}

/** The names and homes of two machines on which `espalier setup --role node` was run. */
async function twoNodes(cluster: string): Promise<{ name: string; home: string }[]> {
  const nodes = ['node-2', 'node-3'].map((name) => ({ name, home: tempHome() }));
  await Promise.all(
    nodes.map(async ({ name, home }) => {
      homes.add(home);
      const args = [
        '--role',
        'node',
        '--run',
        'background',
        '--name',
        name,
        '--agent-port',
        '0',
        '--cluster',
        cluster,
      ];
      const { code, stdout, stderr } = await run(['setup', '--unattended', ...args, ...LOOPBACK], {
        env: machine(home),
      });
      assert.equal(code, 0, stderr);
      assert.ok(stdout.includes(`The code of ${name}:  ${shownCode(home)}`), stdout);
    }),
  );
  return nodes;
}

const ownArgs = (cluster: string) => {
  return ['--name', 'node-1', '--agent-port', '0', '--port', '0', '--cluster', cluster, ...LOOPBACK];
};

/** Of the hub's model, with the headers that its plan is made from. */
function bytesOnce(): number {
  return hub.files(REPO).reduce((sum, { path, sizeBytes }) => {
    const prefix = path.endsWith('.safetensors') ? readFileSync(join(repo, path)).subarray(0, 8) : undefined;
    return sum + sizeBytes + (prefix ? 8 + Number(prefix.readBigUInt64LE(0)) : 0);
  }, 0);
}

const ANSWER = /There are \*\*3\*\* letters r in strawberry/;

// each of the two takes half a minute of a core
const byFlags = ALL_CASES || NO_TMUX ? {} : { skip: 'a sample: by keys (ESPALIER_ALL_CASES=1 runs both)' };
test('by flags: three machines to a first answer', byFlags, async () => {
  const cluster = `test-${randomBytes(6).toString('hex')}`;
  const nodes = await twoNodes(cluster);
  const home = tempHome();
  homes.add(home);
  const input = nodes.map((node) => `${node.name} ${shownCode(node.home)}\n`).join('');
  const args = ['--role', 'controller', '--run', 'background', '--nodes', '3', '--codes', '-'];
  const { code, stdout, stderr } = await run(
    ['setup', '--unattended', ...args, '--model', REPO, ...ownArgs(cluster)],
    { input, env: machine(home) },
  );
  assert.equal(code, 0, `${stderr}\n${stdout}`);
  assert.match(stdout, /tests\/sharded-demo: done, .* \(100 %\): .* from the hub/);
  assert.match(stdout, /In force \(epoch \d+\): tests\/sharded-demo, .* on 3 nodes/);
  assert.match(stdout, ANSWER);
  assert.match(stdout, /Your cluster serves at http:\/\/127\.0\.0\.1:\d+ /);
  assert.match(stdout, /espalier connect claude-code --controller http/);
  for (const { name } of nodes) assert.ok(stdout.includes(`● ${name} `), name);
});

describe('by keys', { skip: NO_TMUX }, () => {
  test('three machines to a first answer: a wrong code, left and resumed, back and on', async () => {
    const cluster = `test-${randomBytes(6).toString('hex')}`;
    const nodes = await twoNodes(cluster);
    const home = tempHome();
    homes.add(home);
    const { PATH = '' } = environment();
    const terminal = await Terminal.open({ PATH, ...machine(home) });
    const setup = `'${process.execPath}' '${CLI}' setup ${ownArgs(cluster).join(' ')}`;
    try {
      await terminal.press(`clear; ${setup}`, 'Enter');
      await terminal.shows(/What is this machine to be\?\n❯ the controller/);
      await terminal.press('Enter');
      await terminal.shows(/How is Espalier to be kept running\?/);
      // background is the last way on every machine
      await terminal.press('Down', 'Enter');
      await terminal.shows(/● node-1 .*\n[\s\S]*let in node-2\n|let in node-3\n/);
      const both = await terminal.shows(/let in node-\d\n.*let in node-\d\n/);
      const order = [...both.matchAll(/let in (node-\d)/g)].map(([, name]) => name);
      assert.deepEqual(order.toSorted(), ['node-2', 'node-3']);

      for (const [index, name] of order.entries()) {
        const home = nodes.find((node) => node.name === name)?.home ?? '';
        await terminal.press('1', 'Enter');
        await terminal.shows(new RegExp(`The code that ${name} shows`));
        if (index === 0) {
          const wrong = shownCode(home) === '0000-0000' ? '11111111' : '00000000';
          await terminal.press(wrong, 'Enter');
          await terminal.shows(new RegExp(`✗ that is not the code that node ${name} shows`));
          await terminal.press('1', 'Enter');
          await terminal.shows(new RegExp(`The code that ${name} shows`));
        }
        await terminal.press(shownCode(home) ?? '', 'Enter');
        await terminal.shows(new RegExp(`● ${name} `));
      }
      await until(async () => /go on with 3 nodes/.test(await terminal.text()));
      // back to the step before, and on again
      await terminal.press('Escape');
      await terminal.shows(/All that this machine needs runs already/);
      await terminal.press('Enter');
      await terminal.shows(/❯ go on with 3 nodes/);
      await terminal.press('Enter');
      await terminal.shows(/No Thunderbolt ports are known here/);
      await terminal.press('C-c');
      await terminal.shows(/Left\. `espalier setup` goes on where you were/);

      await terminal.press(`clear; ${setup}`, 'Enter');
      await terminal.shows(/4 of 9[\s\S]*No Thunderbolt ports/);
      await terminal.press('Enter');
      await terminal.shows(/There is nothing to set on this machine/);
      await terminal.press('Enter');
      // the best of the catalogue that fits; it is looked for on the hub instead
      await terminal.shows(/❯ ○ DeepSeek-R1-\S+ +\S+ GB +\S+ tok\/s/);
      await terminal.press('Up', 'Enter');
      await terminal.shows(/Model: █/);
      await terminal.press('sharded', 'Enter');
      await terminal.shows(/❯ tests\/sharded-demo {2}7 downloads/);
      await terminal.press('Enter');
      await terminal.shows(/It is not in the catalogue[\s\S]*❯ yes/);
      // the hub gives the headers of one file, and then is busy: the wizard is left, and finds the pull again
      hub.fault = ({ path, nth }) =>
        path.startsWith('model-00003') && nth > 2 ? { kind: 'status', status: 429 } : undefined;
      await terminal.press('Enter');
      await terminal.shows(/7 of 9[\s\S]*model-00003-of-00006\.safetensors .* answers 429/);
      await terminal.press('C-c');
      await terminal.shows(/Left\./);
      await terminal.press(`clear; ${setup}`, 'Enter');
      await terminal.shows(/7 of 9[\s\S]*model-00003-of-00006\.safetensors .* answers 429/);
      hub.fault = undefined;
      await terminal.shows(/In force .*sharded-demo.*on 3 nodes[\s\S]*The cluster serves/);
      assert.equal(hub.totalSentBytes, bytesOnce(), 'each byte came over the internet once');
      await terminal.press('Enter');
      await terminal.shows(/Your first question: How many r's are in strawberry\?/);
      await terminal.press('Enter');
      await terminal.shows(new RegExp(`${ANSWER.source}[\\s\\S]*That was your own cluster`));
      await terminal.press('Enter');
      const end = await terminal.shows(/Your cluster serves at http:\/\/127\.0\.0\.1:\d+ /);
      assert.match(end, /espalier connect open-webui/);
    } finally {
      await terminal.close();
    }
  });
});

test('what cannot work is said at once', async () => {
  const env = { ESPALIER_HOME: tempHome() };
  const noTerminal = await run(['setup'], { env });
  assert.equal(noTerminal.code, 2);
  assert.match(noTerminal.stderr, /there is no terminal to ask on: run it in one, or add --unattended/);
  const step = await run(['setup', 'kitchen'], { env });
  assert.equal(step.code, 2);
  assert.match(step.stderr, /Allowed choices are role, run, join, nodes/);
  const codes = await run(['setup', '--unattended', '--role', 'controller', '--codes', '-'], {
    env,
    input: 'node-2 letmein\n',
  });
  assert.equal(codes.code, 2);
  assert.match(codes.stderr, /a line is no `NAME CODE`/);
  assert.ok(!codes.stderr.includes('letmein'));
  const undo = await run(['setup', '--undo'], { env });
  assert.deepEqual(
    [undo.code, undo.stdout],
    [0, 'Espalier has changed nothing of this system that could be undone.'],
  );
});

test('--undo goes backwards, asks for each, and keeps what could not be taken back', async () => {
  const home = tempHome();
  const env = { ESPALIER_HOME: home };
  mkdirSync(home, { recursive: true, mode: 0o700 });
  const line = (id: string, undo: string[][]) =>
    JSON.stringify({
      ...{ time: '2026-01-02T03:04:05.000Z', id, description: id, needsRoot: false },
      ...{ apply: [['true']], undo },
    });
  const [first, second] = [join(home, 'first'), join(home, 'second')];
  const lines = [
    line('one', [['cp', second, first]]),
    line('two', [['touch', second]]),
    line('three', [['false']]),
  ];
  writeFileSync(join(home, 'system-changes.jsonl'), lines.map((each) => `${each}\n`).join(''), {
    mode: 0o600,
  });

  const nobody = await run(['setup', '--undo'], { env });
  assert.equal(nobody.code, 2);
  assert.match(nobody.stderr, /nobody can be asked here/);
  assert.ok(!existsSync(second));

  const all = await run(['setup', '--undo', '--yes'], { env });
  assert.equal(all.code, 1);
  assert.match(all.stderr, /1 of 3 changes could not be undone/);
  // 'two' was taken back before 'one', which needs it
  assert.ok(existsSync(first), all.stdout);
  assert.deepEqual(
    [...all.stdout.matchAll(/^Undo: (\w+)/gm)].map(([, id]) => id),
    ['three', 'two', 'one'],
  );
  const again = await run(['setup', '--undo', '--yes'], { env });
  assert.deepEqual(
    [...again.stdout.matchAll(/^Undo: (\w+)/gm)].map(([, id]) => id),
    ['three'],
  );
});
