// The runner as npm runs it, in a package without sources (so that nothing is to be set up): exit codes, arguments,
// signals, and that it leaves nothing behind when npm is killed.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { projectDir } from '../../support/paths.ts';
import { allEnded } from '../processes.ts';

/** What the runner starts: a CLI that writes what happens to it to standard output. */
const CLI = `
  const [mode, ...args] = process.argv.slice(2);
  const say = (...words) => process.stdout.write(words.join(' ') + '\\n');
  if (mode === 'exit') process.exit(Number(args[0]));
  if (mode === 'die') process.kill(process.pid, 'SIGKILL');
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => {
      say(signal);
      if (mode === 'wait') setTimeout(() => process.exit(7), 50);
    });
  }
  process.on('disconnect', () => say('disconnected'));
  say('up', process.pid, process.cwd(), JSON.stringify(args));
  setInterval(() => {}, 1000);
`;

const root = mkdtempSync(join(tmpdir(), 'espalier runner '));
after(() => rmSync(root, { recursive: true }));
cpSync(join(projectDir, 'scripts/setup'), join(root, 'scripts/setup'), { recursive: true });
mkdirSync(join(root, 'dist/scripts/cli'), { recursive: true });
writeFileSync(join(root, 'dist/scripts/cli/main.js'), CLI);
writeFileSync(
  join(root, 'package.json'),
  JSON.stringify({
    type: 'module',
    engines: { node: '>=22.18' },
    scripts: { espalier: 'exec node scripts/setup/main.mjs espalier' },
  }),
);
const main = join(root, 'scripts/setup/main.mjs');

interface Started {
  child: ChildProcess;
  /** what came out so far, of the runner and the command */
  output(): string;
  /** resolves when the output matches */
  seen(pattern: RegExp): Promise<RegExpExecArray>;
}

function start(file: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Started {
  const child = spawn(file, args, {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, npm_lifecycle_event: undefined, INIT_CWD: undefined, ...env },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (chunk: string) => {
      output += chunk;
    });
  }
  return {
    child,
    output: () => output,
    seen: async (pattern) => {
      for (;;) {
        const match = pattern.exec(output);
        if (match !== null) return match;
        await sleep(10);
      }
    },
  };
}

async function pidOf(started: Started): Promise<number> {
  const [, pid] = await started.seen(/^up (\d+)/m);
  return Number(pid);
}

const TIMEOUT = { timeout: 30_000 };

test("the exit code is the command's own", TIMEOUT, async () => {
  for (const [args, expected] of [
    [['exit', '0'], 0],
    [['exit', '3'], 3],
    [['die'], 137],
  ] as const) {
    const { child } = start(process.execPath, [main, 'espalier', ...args]);
    assert.deepEqual(await once(child, 'exit'), [expected, null]);
  }
});

test('arguments arrive as they are, in the folder where the user stands', TIMEOUT, async () => {
  const args = ['wait', 'two words', '--flag', "quo'te"];
  const started = start(process.execPath, [main, 'espalier', ...args], {
    npm_lifecycle_event: 'espalier',
    INIT_CWD: join(root, 'scripts'),
  });
  const [, cwd, given] = await started.seen(/^up \d+ (.*) (\[.*\])$/m);
  assert.equal(cwd, join(root, 'scripts'));
  assert.deepEqual(JSON.parse(given ?? ''), args.slice(1));
  started.child.kill('SIGTERM');
  await once(started.child, 'exit');
});

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  test(`${signal} is passed on once, however often it comes`, TIMEOUT, async () => {
    const started = start(process.execPath, [main, 'espalier', 'wait']);
    await pidOf(started);
    const exit = once(started.child, 'exit');
    started.child.kill(signal);
    await started.seen(new RegExp(signal));
    started.child.kill(signal);
    assert.deepEqual(await exit, [7, null]);
    assert.deepEqual(started.output().match(/SIG\w+/g), [signal]);
  });
}

test('a command that does not end on SIGTERM is killed', TIMEOUT, async () => {
  const started = start(process.execPath, [main, 'espalier', 'stay']);
  const pid = await pidOf(started);
  started.child.kill('SIGTERM');
  assert.deepEqual(await once(started.child, 'exit'), [137, null]);
  await allEnded([pid]);
});

test('when npm is killed outright, nothing is left', TIMEOUT, async () => {
  const npm = start('npm', ['run', '-s', 'espalier', '--', 'wait']);
  const pid = await pidOf(npm);
  npm.child.kill('SIGKILL');
  await allEnded([pid]);
  if (npm.child.stdout?.readableEnded === false) await once(npm.child.stdout, 'end');
  assert.deepEqual(npm.output().trimEnd().split('\n').slice(1).sort(), ['SIGTERM', 'disconnected']);
});

test('when the runner itself is killed outright, the command is told', TIMEOUT, async () => {
  const started = start(process.execPath, [main, 'espalier', 'wait']);
  const pid = await pidOf(started);
  started.child.kill('SIGKILL');
  await started.seen(/disconnected/);
  process.kill(pid, 'SIGKILL');
  await allEnded([pid]);
});

test('a command that does not exist is an error with the list of those that do', TIMEOUT, async () => {
  const child = spawn(process.execPath, [main, 'dance'], { stdio: ['ignore', 'ignore', 'pipe'] });
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    errors += chunk;
  });
  assert.deepEqual(await once(child, 'close'), [1, null]);
  assert.match(errors, /"dance" is not a command/);
  assert.match(errors, /espalier\|test\|bench\|soak\|check\|build\|package/);
});

test('the scripts of package.json let npm hand its signals to the runner itself', () => {
  const { scripts }: { scripts: Record<string, string> } = JSON.parse(
    readFileSync(join(projectDir, 'package.json'), 'utf8'),
  );
  const runs = Object.entries(scripts).filter(([, script]) => script.includes('setup/main.mjs'));
  assert.ok(runs.length > 0);
  for (const [name, script] of runs) {
    // without exec a shell stands between: it would survive npm, and keep the runner from noticing
    assert.match(script, /^exec node scripts\/setup\/main\.mjs \w+/, name);
  }
});
