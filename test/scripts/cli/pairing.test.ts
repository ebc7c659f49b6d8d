// The commands of trust as a user runs them: pair, unpair, token, key, and the agent's own options.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { shownCode } from '../../../agent/trust/code.ts';
import { parseJoinToken } from '../../../protocol/join-token.ts';
import { TestCluster } from '../../support/cluster.ts';
import { tempHome } from '../../support/temp-home.ts';
import { until } from '../../support/until.ts';
import { run } from './run.ts';

describe('help', () => {
  const commands = [['pair'], ['unpair'], ['token'], ['token', 'create'], ['key'], ['key', 'create']];
  for (const command of commands) {
    test(`${command.join(' ')} --help: usage, examples, exit codes`, async () => {
      const { code, stdout, stderr } = await run([...command, '--help']);
      assert.deepEqual([code, stderr], [0, '']);
      assert.match(stdout, new RegExp(`^Usage: espalier ${command.join(' ')} `));
      assert.match(stdout, /\nExamples:\n {2}.*espalier/);
      assert.match(stdout, /\nExit codes:\n {2}0 /);
    });
  }

  test('a wrong option of a command below another one names its own help', async () => {
    const { code, stderr } = await run(['key', 'create', '--foo', 'x']);
    assert.equal(code, 2);
    assert.match(stderr, /unknown option '--foo'\n\(`espalier key create --help` says more\)/);
  });
});

test('a node is paired and unpaired from the command line', async () => {
  const cluster = await TestCluster.up({ nodes: 1, unpaired: true, asItIs: true });
  const env = { ESPALIER_HOME: cluster.controllerHome, ESPALIER_CONTROLLER: cluster.url };
  const [home = ''] = cluster.agentHomes;
  try {
    await until(async () => /node-1 .*espalier pair node-1/.test((await run(['pair'], { env })).stdout));
    const shown = await run(['agent', '--show-code'], { env: { ESPALIER_HOME: home } });
    assert.equal(shown.stdout, shownCode(home));

    const asStranger = await run(['pair', 'node-1', '--code', '-'], {
      input: shown.stdout,
      env: { ...env, ESPALIER_HOME: tempHome() },
    });
    assert.equal(asStranger.code, 1);
    assert.match(asStranger.stderr, /changes the cluster.*ESPALIER_HOME/);

    const noTerminal = await run(['pair', 'node-1'], { env });
    assert.equal(noTerminal.code, 2);
    assert.match(noTerminal.stderr, /no terminal to ask for the code: give it with --code -/);
    const inArguments = await run(['pair', 'node-1', '--code', shown.stdout], { env });
    assert.equal(inArguments.code, 2);
    assert.ok(!inArguments.stderr.includes(shown.stdout));

    const paired = await run(['pair', 'node-1', '--code', '-'], { input: `${shown.stdout}\n`, env });
    assert.deepEqual([paired.code, paired.stdout], [0, 'node-1 is paired.']);
    await cluster.untilServing();
    assert.match((await run(['pair'], { env })).stdout, /paired +id +since\nnode-1 /);

    const unpaired = await run(['unpair', 'node-1'], { env });
    assert.deepEqual([unpaired.code, unpaired.stdout], [0, 'node-1 is unpaired.']);
    const again = await run(['unpair', 'node-1'], { env });
    assert.equal(again.code, 1);
    assert.match(again.stderr, /no paired node "node-1"; no node is/);
  } finally {
    await cluster.down();
  }
});

test('join tokens come by standard input or the environment, never by an argument', async () => {
  const env = { ESPALIER_HOME: tempHome() };
  const { code, stdout } = await run(['token', 'create'], { env });
  assert.equal(code, 0);
  assert.equal(parseJoinToken(stdout).secret.length, 32);
  const inArguments = await run(['agent', '--join', stdout], { env });
  assert.equal(inArguments.code, 2);
  assert.match(inArguments.stderr, /--join takes "-"/);
  assert.ok(!inArguments.stderr.includes(stdout));
  const nonsense = await run(['agent', '--join', '-'], { input: 'letmein\n', env });
  assert.equal(nonsense.code, 2);
  assert.match(nonsense.stderr, /no join token/);
  assert.ok(!nonsense.stderr.includes('letmein'));
});

test('keys are made, listed without themselves, and revoked', async () => {
  const env = { ESPALIER_HOME: tempHome() };
  const created = await run(['key', 'create', 'laptop', '--admin'], { env });
  assert.equal(created.code, 0);
  assert.match(created.stdout, /^espalier-[\w-]{43}$/);
  const listed = await run(['key', 'list'], { env });
  assert.match(listed.stdout, /laptop +admin +apart +\d{4}-/);
  assert.ok(!listed.stdout.includes(created.stdout));
  const json = JSON.parse((await run(['key', 'list', '--json'], { env })).stdout);
  assert.deepEqual(Object.keys(json[0]).sort(), ['createdAt', 'isAdmin', 'name']);
  assert.equal((await run(['key', 'revoke', 'laptop'], { env })).code, 0);
  assert.match((await run(['key', 'list'], { env })).stdout, /no keys/);
});

test('a controller does not listen beyond this machine without a key', async () => {
  const env = { ESPALIER_HOME: tempHome() };
  const { code, stderr } = await run(['controller', '--host', '0.0.0.0', '--port', '0'], { env });
  assert.equal(code, 1);
  assert.match(stderr, /0\.0\.0\.0.* has no key yet\n {2}→ Make one with `espalier key create/);
  const star = await run(['controller', '--allow-origin', '*'], { env });
  assert.equal(star.code, 2);
});
