// The launcher with real processes and sockets under it, and every way to end: done, told, abandoned, or failed.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { stripVTControlCharacters } from 'node:util';
import type { DemoOptions } from '../../../scripts/demo/demo.ts';
import { allEnded, isRunning } from '../processes.ts';
import type { Fault } from './fake-cli.ts';

const LAUNCH = fileURLToPath(new URL('./launch.js', import.meta.url));
const FAKE_CLI = fileURLToPath(new URL('./fake-cli.js', import.meta.url));
const TIMEOUT = { timeout: 60_000 };

const top = mkdtempSync(join(tmpdir(), 'espalier demo '));
after(() => rmSync(top, { recursive: true }));

interface Launched {
  child: ChildProcess;
  home: string;
  stdout(): string;
  stderr(): string;
  /** the lines of the journal: NAME EVENT… PID */
  journal(): string[];
  seen(where: 'stdout' | 'stderr' | 'journal', pattern: RegExp): Promise<void>;
  /** the exit code */
  end(): Promise<number>;
}

let count = 0;

function launch(
  options: Partial<DemoOptions> = {},
  faults: Record<string, Fault> = {},
  command: (args: string[]) => string[] = (args) => args,
): Launched {
  count += 1;
  const home = options.home ?? join(top, `home ${count}`);
  const journalPath = join(top, `journal ${count}`);
  const all: DemoOptions = {
    nodes: 2,
    port: 0,
    dashboard: true,
    modelDir: 'a-model',
    once: false,
    cliPath: FAKE_CLI,
    ...options,
    home,
  };
  const [file = '', ...args] = command([process.execPath, LAUNCH, JSON.stringify(all)]);
  const child = spawn(file, args, {
    stdio: ['pipe', 'pipe', 'pipe', 'ipc'],
    env: { ...process.env, FAKE_JOURNAL: journalPath, FAKE_FAULTS: JSON.stringify(faults) },
  });
  const texts = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.setEncoding('utf8').on('data', (chunk: string) => {
      texts[name] += chunk;
    });
  }
  const journal = () => (existsSync(journalPath) ? readFileSync(journalPath, 'utf8') : '');
  // not 'close', which does not come once the channel was closed from this side
  const streams = [child.stdout, child.stderr].map((stream) => stream && once(stream, 'close'));
  const exit = once(child, 'exit');
  return {
    child,
    home,
    stdout: () => texts.stdout,
    stderr: () => texts.stderr,
    journal: () => journal().split('\n').slice(0, -1),
    seen: async (where, pattern) => {
      while (!pattern.test(where === 'journal' ? journal() : texts[where])) await sleep(10);
    },
    end: async () => {
      const [code] = await exit;
      await Promise.all(streams);
      return Number(code);
    },
  };
}

/** The numbers of all processes that the launcher has started. */
function pids(launched: Launched): number[] {
  return [...new Set(launched.journal().map((line) => Number(line.split(' ').at(-1))))];
}

function assertAllGone(launched: Launched): void {
  assert.deepEqual(pids(launched).filter(isRunning), []);
}

/** What happened, in order, without numbers of processes. */
function order(launched: Launched, event: RegExp): string[] {
  return launched
    .journal()
    .map((line) => line.replace(/ \d+$/, ''))
    .filter((line) => event.test(line));
}

test(
  '--once: ready, the thinking, the answer, a row per node; then everything ends in order',
  TIMEOUT,
  async () => {
    const demo = launch({ once: true });
    assert.equal(await demo.end(), 0);
    const [ready, ...rest] = demo.stdout().split('\n');
    assert.match(ready ?? '', /^ready http:\/\/127\.0\.0\.1:\d+$/);
    const text = rest.join('\n');
    assert.match(
      text,
      /How many r's are in strawberry\?[\s\S]*Counting the letters one by one\.[\s\S]*There are 3\./,
    );
    assert.match(text, /^node +layers +tok\/s +step ms +memory +weights$/m);
    assert.match(text, /^demo-1 +0–1 +[\d.k]+ +2\.5 +100 MiB +1\.0 MiB$/m);
    assert.match(text, /^demo-2 +2–3 /m);
    assert.equal(stripVTControlCharacters(demo.stdout()), demo.stdout(), 'no colours in a pipe');
    assert.match(demo.stderr(), /no stage is linked yet/);
    const stopped = order(demo, / stopped/);
    assert.equal(stopped[0], 'controller stopped');
    assert.deepEqual(stopped.slice(1).sort(), ['demo-1 stopped', 'demo-2 stopped']);
    assertAllGone(demo);
  },
);

test(
  'each process has a home and a log of its own; the controller is told the addresses',
  TIMEOUT,
  async () => {
    const demo = launch({ once: true });
    assert.equal(await demo.end(), 0);
    const folder = join(demo.home, 'demo', '0');
    const started = order(demo, / started/);
    assert.ok(started.includes(`controller started with home ${join(folder, 'controller')} as`));
    assert.ok(started.includes(`demo-1 started with home ${join(folder, 'agent-1')} as`));
    for (const name of ['controller', 'agent-1', 'agent-2']) {
      assert.ok(existsSync(join(folder, 'logs', `${name}.log`)), name);
    }
    const [given] = order(demo, / given/);
    assert.match(
      given ?? '',
      /--host 127\.0\.0\.1 --port 0 --nodes 2 --model .*\/a-model --cluster demo-[0-9a-f]{8} --interface 127\.0\.0\.1 --engine node-mlx --agent 127\.0\.0\.1:\d+ --agent 127\.0\.0\.1:\d+ as$/,
    );
  },
);

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  test(`${signal} while it serves ends everything in order, with exit code 0`, TIMEOUT, async () => {
    const demo = launch();
    await demo.seen('stdout', /serving/);
    // a terminal's Ctrl-C comes from the terminal, from npm and from the runner
    for (let i = 0; i < 3; i += 1) demo.child.kill(signal);
    assert.equal(await demo.end(), 0);
    assert.equal(order(demo, / stopped/)[0], 'controller stopped');
    assert.equal(order(demo, / stopped/).length, 3);
    assertAllGone(demo);
  });
}

test('SIGINT while it starts ends everything too', TIMEOUT, async () => {
  const demo = launch({}, { controller: 'silent' });
  await demo.seen('stderr', /no stage is linked/);
  demo.child.kill('SIGINT');
  assert.equal(await demo.end(), 0);
  assert.doesNotMatch(demo.stdout(), /ready/);
  assertAllGone(demo);
});

test('a process that does not stop is killed, and the others still end in order', TIMEOUT, async () => {
  const demo = launch({}, { controller: 'hangs', 'demo-2': 'hangs' });
  await demo.seen('stdout', /serving/);
  demo.child.kill('SIGTERM');
  assert.equal(await demo.end(), 0);
  assert.equal(order(demo, / stopped/)[0], 'controller stopped');
  assert.ok(order(demo, / stopped/).includes('demo-1 stopped'));
  assertAllGone(demo);
});

test('when the launcher is killed outright, its children end by themselves', TIMEOUT, async () => {
  const demo = launch();
  await demo.seen('stdout', /serving/);
  demo.child.kill('SIGKILL');
  await allEnded(pids(demo));
  assert.equal(order(demo, / stopped/).length, 3);
});

test("when the launcher's parent is gone, everything ends", TIMEOUT, async () => {
  const demo = launch();
  await demo.seen('stdout', /serving/);
  demo.child.disconnect();
  assert.equal(await demo.end(), 0);
  assertAllGone(demo);
});

test('an agent that dies at its start: the end of its log, where it is, exit code 1', TIMEOUT, async () => {
  const demo = launch({}, { 'demo-2': 'dies-at-start' });
  assert.equal(await demo.end(), 1);
  assert.match(demo.stderr(), /agent-2 ended with exit code 3:\n {4}the last line of the log\n/);
  assert.ok(demo.stderr().includes(join(demo.home, 'demo', '0', 'logs/agent-2.log')));
  assertAllGone(demo);
});

test("an agent that cannot start: its own error, with the registry's way out", TIMEOUT, async () => {
  const demo = launch({}, { 'demo-1': 'fails' });
  assert.equal(await demo.end(), 1);
  assert.match(demo.stderr(), /agent-1: node-mlx is not there/);
  assert.match(demo.stderr(), /→ From a checkout, `npm start`/);
  assertAllGone(demo);
});

test('a taken port is told before anything is started', TIMEOUT, async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const demo = launch({ port });
  assert.equal(await demo.end(), 1);
  server.close();
  assert.match(demo.stderr(), new RegExp(`port ${port} of 127\\.0\\.0\\.1 is taken\n.*--port`));
  assert.deepEqual(demo.journal(), []);
});

test('an agent that dies while it serves is told in one line, and the demo goes on', TIMEOUT, async () => {
  const demo = launch({}, { 'demo-1': 'dies-later' });
  await demo.seen('stderr', /agent-1 ended with exit code 9/);
  const line = demo
    .stderr()
    .split('\n')
    .find((text) => text.includes('agent-1 ended'));
  assert.match(line ?? '', /agent-1\.log/);
  demo.child.kill('SIGTERM');
  assert.equal(await demo.end(), 0);
  assertAllGone(demo);
});

test('a controller that dies ends everything, with its error', TIMEOUT, async () => {
  const demo = launch({}, { controller: 'dies-later' });
  assert.equal(await demo.end(), 1);
  assert.match(demo.stderr(), /controller ended with exit code 9:\n {4}a defect that nobody caught\n/);
  assert.equal(order(demo, / stopped/).length, 2);
  assertAllGone(demo);
});

test('a home that cannot be written is an error that names it', TIMEOUT, async () => {
  const file = join(top, 'a-file');
  writeFileSync(file, '');
  const demo = launch({ home: file });
  assert.equal(await demo.end(), 1);
  assert.match(demo.stderr(), /a-file.* cannot be made[\s\S]*ESPALIER_HOME/);
});

/** util-linux's `script` gives a command a terminal; the one of macOS takes other options. */
const noTerminal = process.platform !== 'linux' && 'needs the `script` of util-linux';

function inTerminal(args: string[]): string[] {
  const quoted = args.map((arg) => `'${arg.replaceAll("'", "'\\''")}'`).join(' ');
  return ['script', '-qefc', quoted, '/dev/null'];
}

test('on a terminal the dashboard is shown, and leaving it ends everything', {
  ...TIMEOUT,
  skip: noTerminal,
}, async () => {
  const demo = launch({}, {}, inTerminal);
  await demo.seen('stdout', /the dashboard has the screen/);
  assert.match(demo.stdout(), /^ready http:\/\/127\.0\.0\.1:\d+\r?$/m);
  assert.match(order(demo, / shows/)[0] ?? '', /dashboard shows http:\/\/127\.0\.0\.1:\d+ as/);
  demo.child.stdin?.write('q\n');
  assert.equal(await demo.end(), 0);
  assert.equal(order(demo, / stopped/)[0], 'controller stopped');
  assert.deepEqual(order(demo, / asked/), []);
  assertAllGone(demo);
});

test('on a terminal without the dashboard the sample question is asked', {
  ...TIMEOUT,
  skip: noTerminal,
}, async () => {
  const demo = launch({ dashboard: false, once: true }, {}, inTerminal);
  assert.equal(await demo.end(), 0);
  assert.match(demo.stdout(), /There are 3\./);
  assert.deepEqual(order(demo, / shows/), []);
});
