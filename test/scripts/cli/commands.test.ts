import assert from 'node:assert/strict';
import { afterEach, describe, test } from 'node:test';
import { ClusterStatus } from '../../../protocol/status.ts';
import { packageFacts } from '../../../scripts/cli/package-root.ts';
import { sampleLost, sampleStatus } from '../../dashboard/sample.ts';
import { type StatusServer, startStatusServer } from '../../dashboard/status-server.ts';
import { killStarted, run, start } from './run.ts';

const servers: StatusServer[] = [];
afterEach(async () => {
  killStarted();
  for (const server of servers.splice(0)) await server.close();
});

async function serve(status: ClusterStatus | undefined): Promise<string> {
  const server = await startStatusServer(() => (status === undefined ? undefined : JSON.stringify(status)));
  servers.push(server);
  return server.url;
}

/** An address at which nothing listens any more. */
async function nobody(): Promise<string> {
  const server = await startStatusServer(() => undefined);
  await server.close();
  return server.url;
}

describe('help', () => {
  for (const command of ['demo', 'controller', 'agent', 'dashboard', 'status', 'trace', 'chat', 'facts']) {
    test(`${command} --help: usage, every option, examples, exit codes`, async () => {
      const { code, stdout, stderr } = await run([command, '--help']);
      assert.equal(code, 0);
      assert.equal(stderr, '');
      assert.match(stdout, new RegExp(`^Usage: espalier ${command}`));
      assert.match(stdout, /\nOptions:\n/);
      assert.match(stdout, new RegExp(`\nExamples:\n {2}.*espalier ${command}`));
      assert.match(stdout, /\nExit codes:\n {2}0 /);
    });
  }

  test('espalier --help lists every command and says where the state lies', async () => {
    const { code, stdout } = await run(['--help']);
    assert.equal(code, 0);
    for (const command of ['demo', 'controller', 'agent', 'dashboard', 'status', 'trace', 'chat', 'facts']) {
      assert.match(stdout, new RegExp(`\n {2}${command} `));
    }
    assert.match(stdout, /ESPALIER_HOME/);
  });

  test('--version is the package version', async () => {
    const { code, stdout } = await run(['--version']);
    assert.deepEqual([code, stdout], [0, packageFacts().version]);
  });
});

describe('wrong usage ends with 2 and says what is right', () => {
  const cases: [args: string[], said: RegExp][] = [
    [[], /Usage: espalier/],
    [['statsu'], /unknown command 'statsu'\n\(Did you mean status\?\)/],
    [['status', '--jsno'], /unknown option '--jsno'\n\(Did you mean --json\?\)/],
    [['status', 'extra'], /too many arguments/],
    [['demo', '--nodes', 'three'], /--nodes.*'three' is invalid\. It takes a number of nodes from 1 to 64/],
    [['controller', '--port', '70000'], /--port.*'70000' is invalid\. It takes a port/],
    [['controller', '--agent', 'studio'], /--agent.*write host:port/],
    [['agent', '--cluster', 'a b'], /--cluster.*It takes 1 to 63 letters/],
    [['agent', '--name', ' '], /--name.*It takes 1 to 63 characters/],
    [['dashboard', '--interval', '0'], /--interval.*It takes seconds/],
    [['chat', '--temperature', '3', 'x'], /--temperature.*from 0 .* to 2/],
    [['status', '--controller', 'ftp://x'], /write it like http:\/\/127\.0\.0\.1:7117/],
    [['chat'], /there is no question/],
    [['trace', '--steps', '513'], /--steps.*'513' is invalid\. It takes a number of steps from 1 to 512/],
    [['trace', '--controller', 'ftp://x'], /write it like http:\/\/127\.0\.0\.1:7117/],
  ];
  for (const [args, said] of cases) {
    test(`espalier ${args.join(' ')}`, async () => {
      const { code, stdout, stderr } = await run(args);
      assert.equal(code, 2, stderr);
      assert.equal(stdout, '');
      assert.match(stderr, said);
    });
  }
});

describe('status', () => {
  test('is a table for people', async () => {
    const { code, stdout } = await run(['status', '--controller', await serve(sampleStatus())]);
    assert.equal(code, 0);
    assert.match(stdout, /: serving\n/);
    assert.match(stdout, /studio-3 +20–29 +linked/);
  });

  test('--json is the whole status, also in the environment of a script', async () => {
    const { code, stdout } = await run(['status', '--json'], {
      env: { ESPALIER_CONTROLLER: await serve(sampleStatus()) },
    });
    assert.equal(code, 0);
    assert.deepEqual(ClusterStatus.parse(JSON.parse(stdout)), sampleStatus());
  });

  test('exit code 3 when the cluster does not serve, with the reason', async () => {
    const { code, stdout } = await run(['status', '--controller', await serve(sampleLost())]);
    assert.equal(code, 3);
    assert.match(stdout, /degraded\n {2}! studio-2 was lost/);
  });

  test('exit code 1 when nobody answers, with a way out and nothing on standard output', async () => {
    const url = await nobody();
    const { code, stdout, stderr } = await run(['status', '--json', '--controller', url]);
    assert.equal(code, 1);
    assert.equal(stdout, '');
    assert.equal(
      stderr,
      `espalier: no controller answers at ${url}: connection refused\n` +
        '  → Start one with `npm start` or `espalier controller`, or name it with --controller URL.',
    );
  });
});

describe('dashboard off a terminal', () => {
  test('--once is one line, or one JSON object; its exit code tells whether the cluster serves', async () => {
    const url = await serve(sampleStatus());
    const line = await run(['dashboard', '--once', '--controller', url]);
    assert.equal(line.code, 0);
    assert.match(line.stdout, /^\d\d:\d\d:\d\d serving \| 14\.2 tok\/s.*$/);
    const json = await run(['dashboard', '--once', '--json', '--controller', await serve(sampleLost())]);
    assert.equal(json.code, 3);
    assert.equal(JSON.parse(json.stdout).state, 'degraded');
    assert.equal((await run(['dashboard', '--once', '--controller', await nobody()])).code, 1);
  });

  test('prints until it is told to end, and then ends with 0', async () => {
    const url = await serve(sampleStatus());
    const dashboard = start(['dashboard', '--interval', '0.1', '--controller', url]);
    await dashboard.printed;
    dashboard.child.kill('SIGTERM');
    assert.equal(await dashboard.exited(), 0);
    assert.match(dashboard.stdout(), /^\d\d:\d\d:\d\d serving \| /);
  });

  test('ends when the process that started it is gone', async () => {
    const dashboard = start(['dashboard', '--controller', await serve(sampleStatus())], { ipc: true });
    await dashboard.printed;
    dashboard.child.disconnect();
    assert.equal(await dashboard.exited(), 0);
  });

  test('a reader that has seen enough is no error', async () => {
    let at = 1;
    const server = await startStatusServer(() => JSON.stringify(sampleStatus({ at: at++ })));
    servers.push(server);
    const dashboard = start(['dashboard', '--json', '--interval', '0.1', '--controller', server.url]);
    await dashboard.printed;
    dashboard.child.stdout?.destroy();
    const timer = setInterval(() => {
      for (const socket of server.clients()) socket.send(JSON.stringify(sampleStatus({ at: at++ })));
    }, 50);
    try {
      assert.equal(await dashboard.exited(), 0);
    } finally {
      clearInterval(timer);
    }
    assert.equal(dashboard.stderr(), '');
  });
});
