import assert from 'node:assert/strict';
import { afterEach, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { execa, execaSync } from 'execa';
import { sampleStatus } from '../../dashboard/sample.ts';
import { type StatusServer, startStatusServer } from '../../dashboard/status-server.ts';
import { CLI, environment } from './run.ts';

// A real terminal needs tmux, which not every machine has.
const hasTmux = !execaSync('tmux', ['-V'], { reject: false }).failed;
const DEADLINE_MS = 30_000;
/** Of our own: other sessions of this user are not touched. */
const SOCKET = `espalier-test-${process.pid}`;

const tmux = async (...args: string[]) =>
  (await execa('tmux', ['-L', SOCKET, '-f', '/dev/null', ...args], { env: { TERM: 'xterm-256color' } }))
    .stdout;

const servers: StatusServer[] = [];
afterEach(async () => {
  if (hasTmux) await execa('tmux', ['-L', SOCKET, 'kill-server'], { reject: false });
  for (const server of servers.splice(0)) await server.close();
});

async function screen(): Promise<string> {
  return (await tmux('capture-pane', '-p')).trimEnd();
}

async function shows(pattern: RegExp): Promise<string> {
  const deadline = Date.now() + DEADLINE_MS;
  for (;;) {
    const text = await screen();
    if (pattern.test(text)) return text;
    if (Date.now() > deadline) assert.fail(`${pattern} did not come:\n${text}`);
    await delay(50);
  }
}

async function resize(columns: number, rows: number): Promise<void> {
  await tmux('resize-window', '-x', String(columns), '-y', String(rows));
}

describe('the dashboard on a real terminal', { skip: hasTmux ? false : 'tmux is not installed' }, () => {
  test('follows the stream, survives resizing without garbage, and leaves the shell as it was', async () => {
    const server = await startStatusServer(() => JSON.stringify(sampleStatus()));
    servers.push(server);
    const { PATH = '', HOME = '' } = environment();
    await tmux(
      'new-session',
      '-d',
      '-x',
      '80',
      '-y',
      '24',
      'env',
      '-i',
      `PATH=${PATH}`,
      `HOME=${HOME}`,
      'TERM=screen',
      'sh',
    );
    const command = `'${process.execPath}' '${CLI}' dashboard -c ${server.url}; echo "code $?"`;
    await tmux('send-keys', `clear; echo before; ${command}`, 'Enter');
    await shows(/● serving\n14\.2 tok\/s now/);
    assert.equal(
      (await tmux('display-message', '-p', '#{cursor_flag}')).trim(),
      '0',
      'no cursor blinks in it',
    );

    for (const socket of server.clients()) {
      socket.send(JSON.stringify(sampleStatus({ at: 1, tokensPerSecond: 99.9 })));
    }
    await shows(/99\.9 tok\/s now/);

    for (const [columns, rows] of [
      [45, 12],
      [120, 40],
      [30, 9],
      [60, 16],
    ] as const) {
      await resize(columns, rows);
    }
    const small = await shows(/^Espalier.*● serving\n.*\n {4}Nodes {5}layers tok\/s history/);
    const lines = small.split('\n');
    assert.equal(lines.length, 16);
    assert.equal(small.match(/studio-2 /g)?.length, 1);
    assert.match(lines.at(-1) ?? '', /^q quit {2}\? help/);

    // a storm: nothing of an older size may stay behind
    for (let storm = 0; storm < 30; storm++) await resize(40 + ((storm * 37) % 120), 8 + ((storm * 11) % 40));
    await resize(80, 24);
    const calm = await shows(/^Espalier.*● serving\n(.*\n){22}q quit/);
    assert.equal(calm.match(/^▸● {2}studio-1 /gm)?.length, 1, calm);
    assert.equal(calm.match(/Requests/g)?.length, 1, calm);

    // the controller is started anew: the picture stays until then, and goes on
    const { port } = server;
    await server.close();
    await shows(/^✗ no news for(.|\n)*studio-3/);
    servers.push(
      await startStatusServer(() => JSON.stringify(sampleStatus({ tokensPerSecond: 55.5 })), port),
    );
    await shows(/^Espalier.*● serving\n55\.5 tok\/s now/);

    await tmux('send-keys', '?');
    await shows(/Keys, and what the screen says/);
    await tmux('send-keys', 'q');
    const after = await shows(/code 0/);
    assert.match(after, /^before\ncode 0\n/);
    assert.equal(
      (await tmux('display-message', '-p', '#{cursor_flag}')).trim(),
      '1',
      'the shell has its cursor',
    );
  });
});
