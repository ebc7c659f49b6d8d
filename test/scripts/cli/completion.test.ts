// Completion in real shells, as a person has it: bash by its own variables, fish by its own question, zsh in a terminal.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { execa, execaSync } from 'execa';
import { environment, run } from './run.ts';

const SHELL_MS = 20_000;

const has = (program: string, ...args: string[]) => !execaSync(program, args, { reject: false }).failed;
const skip = (program: string, ...args: string[]) =>
  has(program, ...args) ? false : `${program} is not installed here`;

let folder = '';
before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'espalier-completion-'));
  for (const shell of ['bash', 'zsh', 'fish']) {
    const { code, stdout } = await run(['completion', shell]);
    assert.equal(code, 0);
    writeFileSync(join(folder, shell), `${stdout}\n`);
  }
});
after(() => rmSync(folder, { recursive: true, force: true }));

/** What is typed, and what is among what is offered, and what is not. */
const CASES: [typed: string[], offered: string[], not: string[]][] = [
  [['sta'], ['status'], ['up', 'chat']],
  [['do'], ['doctor'], []],
  [['key', ''], ['create', 'list', 'revoke'], ['status']],
  [['key', 'create', '--a'], ['--admin'], ['--json']],
  [['status', '--j'], ['--json'], ['--once']],
  [['plan', '--goal', ''], ['throughput', 'latency'], []],
  [['connect', 'cl'], ['claude-code', 'cline'], ['codex']],
];

describe('bash', { skip: skip('bash', '--version') }, () => {
  for (const [typed, offered, not] of CASES) {
    test(`espalier ${typed.join(' ')}`, async () => {
      const words = ['espalier', ...typed].map((word) => `'${word}'`).join(' ');
      const script = `source '${folder}/bash'; COMP_WORDS=(${words}); COMP_CWORD=${typed.length}; _espalier; printf '%s\\n' "\${COMPREPLY[@]}"`;
      const { stdout } = await execa('bash', ['--norc', '-c', script], { timeout: SHELL_MS });
      check(stdout.split('\n'), offered, not);
    });
  }
});

describe('fish', { skip: skip('fish', '--version') }, () => {
  for (const [typed, offered, not] of CASES) {
    test(`espalier ${typed.join(' ')}`, async () => {
      const script = `source '${folder}/fish'; complete -C 'espalier ${typed.join(' ')}'`;
      const env = { ...environment(), HOME: folder };
      const { stdout } = await execa('fish', ['--no-config', '-c', script], {
        timeout: SHELL_MS,
        env,
        extendEnv: false,
      });
      check(
        stdout.split('\n').map((line) => line.split('\t')[0] ?? ''),
        offered,
        not,
      );
    });
  }
});

describe('zsh', { skip: skip('zsh', '--version') || skip('tmux', '-V') }, () => {
  const socket = `espalier-zsh-${process.pid}`;
  const tmux = async (...args: string[]) =>
    (await execa('tmux', ['-L', socket, '-f', '/dev/null', ...args], { env: { TERM: 'xterm-256color' } }))
      .stdout;
  after(() => execa('tmux', ['-L', socket, 'kill-server'], { reject: false }));

  const shows = async (pattern: RegExp) => {
    const deadline = Date.now() + SHELL_MS;
    for (;;) {
      const text = await tmux('capture-pane', '-p');
      if (pattern.test(text)) return;
      if (Date.now() > deadline) assert.fail(`${pattern} did not come:\n${text}`);
      await delay(50);
    }
  };

  test('in a terminal: a command, an option, and the descriptions of several', async () => {
    const set = `PS1='> '; autoload -U compinit; compinit -u -d '${folder}/dump'; source '${folder}/zsh'; clear; echo set`;
    await tmux('new-session', '-d', '-x', '120', '-y', '40', 'env', 'HOME=/nonexistent', 'zsh', '-f');
    await shows(/[%#>] ?$/m);
    await tmux('send-keys', '-l', set);
    await tmux('send-keys', 'Enter');
    await shows(/^set/m);
    const type = async (text: string, pattern: RegExp) => {
      await tmux('send-keys', 'C-u');
      await tmux('send-keys', '-l', text);
      await tmux('send-keys', 'Tab');
      await shows(pattern);
    };
    await type('espalier stat', /> espalier status *$/m);
    await type('espalier status --js', /> espalier status --json *$/m);
    await type('espalier plan --goal thr', /> espalier plan --goal throughput *$/m);
    await type('espalier key ', /revoke +-- a key opens nothing/);
  });
});

function check(got: readonly string[], offered: readonly string[], not: readonly string[]): void {
  const words = got.map((word) => word.trim());
  for (const word of offered) assert.ok(words.includes(word), `${word} is not among ${words}`);
  for (const word of not) assert.ok(!words.includes(word), `${word} is among ${words}`);
}
