// The life of a service, with a launcher and without one: how it starts, and each way in which it stops.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const SERVICE = fileURLToPath(new URL('./service.js', import.meta.url));
const TIMEOUT = { timeout: 30_000 };

interface Started {
  child: ChildProcess;
  messages: unknown[];
  seen(pattern: RegExp): Promise<void>;
  /** the exit code (null when a signal ended it) and everything it wrote */
  end(): Promise<{ code: number | null; output: string }>;
}

function start(
  mode: string,
  { supervised = false, channel = supervised }: { supervised?: boolean; channel?: boolean } = {},
): Started {
  const child = spawn(process.execPath, [SERVICE, mode], {
    stdio: ['ignore', 'pipe', 'pipe', ...(channel ? (['ipc'] as const) : [])],
    env: { ...process.env, ESPALIER_SUPERVISED: supervised ? '1' : '' },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (chunk: string) => {
      output += chunk;
    });
  }
  const messages: unknown[] = [];
  child.on('message', (message) => messages.push(message));
  const streams = [child.stdout, child.stderr].map((stream) => stream && once(stream, 'close'));
  const exit = once(child, 'exit');
  return {
    child,
    messages,
    seen: async (pattern) => {
      while (!pattern.test(output)) await sleep(10);
    },
    end: async () => {
      const [code] = await exit;
      await Promise.all(streams);
      return { code, output };
    },
  };
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  test(`without a launcher, ${signal} stops it in good order`, TIMEOUT, async () => {
    const service = start('plain');
    await service.seen(/up/);
    service.child.kill(signal);
    assert.deepEqual(await service.end(), { code: 0, output: 'up\nstopping\nstopped\n' });
  });
}

test('one press of Ctrl-C that arrives twice stops it in good order', TIMEOUT, async () => {
  const service = start('stops-slowly');
  await service.seen(/up/);
  service.child.kill('SIGINT');
  await service.seen(/stopping/);
  service.child.kill('SIGINT');
  assert.deepEqual(await service.end(), { code: 0, output: 'up\nstopping\nstopped\n' });
});

test('a second press ends it at once', TIMEOUT, async () => {
  const service = start('stops-slowly');
  await service.seen(/up/);
  service.child.kill('SIGINT');
  await service.seen(/stopping/);
  await sleep(400);
  service.child.kill('SIGINT');
  assert.deepEqual(await service.end(), { code: 130, output: 'up\nstopping\n' });
});

test('a stop that takes too long is cut short', TIMEOUT, async () => {
  const service = start('never-stops');
  await service.seen(/up/);
  service.child.kill('SIGTERM');
  const { code, output } = await service.end();
  assert.equal(code, 1);
  assert.match(output, /stopping took longer than 1500 ms/);
});

test('a stop during the start waits for it', TIMEOUT, async () => {
  const service = start('starts-slowly');
  await service.seen(/starting/);
  service.child.kill('SIGTERM');
  assert.deepEqual(await service.end(), { code: 0, output: 'starting\nup\nstopping\nstopped\n' });
});

test('what a service left open does not keep the process', TIMEOUT, async () => {
  const service = start('leaves-a-timer');
  await service.seen(/up/);
  service.child.kill('SIGTERM');
  assert.equal((await service.end()).code, 0);
});

test('errors are explained; a bad option has its own exit code', TIMEOUT, async () => {
  const badOption = await start('bad-option').end();
  assert.equal(badOption.code, 2);
  assert.match(badOption.output, /--port is 70000\n {2}→ See --help/);
  const defect = await start('defect').end();
  assert.equal(defect.code, 1);
  assert.match(defect.output, /undefined is not a function\n {2}→ This is a defect of Espalier/);
  const failing = start('fails-to-stop');
  await failing.seen(/up/);
  failing.child.kill('SIGTERM');
  assert.equal((await failing.end()).code, 1);
});

test('a launcher is told that it listens, and Ctrl-C is left to the launcher', TIMEOUT, async () => {
  const service = start('plain', { supervised: true });
  const [message] = await once(service.child, 'message');
  assert.deepEqual(message, { kind: 'listening', port: 7118 });
  service.child.kill('SIGINT');
  service.child.kill('SIGHUP');
  await sleep(100);
  assert.equal(service.child.exitCode, null);
  service.child.kill('SIGTERM');
  assert.deepEqual(await service.end(), { code: 0, output: 'up\nstopping\nstopped\n' });
});

test('a launcher is told why it failed', TIMEOUT, async () => {
  const service = start('bad-option', { supervised: true });
  const { code, output } = await service.end();
  assert.equal(code, 2);
  assert.deepEqual(service.messages, [{ kind: 'failed', code: 'bad_option', message: '--port is 70000' }]);
  assert.match(output, /--port is 70000/);
});

for (const supervised of [true, false]) {
  test(
    `it stops when whoever started it is gone (${supervised ? 'launcher' : 'runner'})`,
    TIMEOUT,
    async () => {
      const service = start('plain', { supervised, channel: true });
      await service.seen(/up/);
      service.child.disconnect();
      assert.deepEqual(await service.end(), { code: 0, output: 'up\nstopping\nstopped\n' });
    },
  );
}

test('an inherited variable without a launcher does not take Ctrl-C away', TIMEOUT, async () => {
  const service = start('plain', { supervised: true, channel: false });
  await service.seen(/up/);
  service.child.kill('SIGINT');
  assert.equal((await service.end()).code, 0);
});
