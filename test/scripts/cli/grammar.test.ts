// Every command of the program held to one grammar: what each must have, and that the same word means the same everywhere.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Command } from 'commander';
import { EXIT } from '../../../scripts/cli/exit-codes.ts';
import { buildProgram } from '../../../scripts/cli/program.ts';

/** Commands that print nothing that a program would read, and why. */
const WITHOUT_JSON: Record<string, string> = {
  demo: 'it runs until it is ended',
  controller: 'it runs until it is ended',
  agent: 'it runs until it is ended; --show-code prints a code alone',
  completion: 'what it prints is a program already',
  setup: 'it is a conversation; what came of it is told by `status --json` and `service status --json`',
  'service install': 'it shows commands and asks; `service status --json` tells what came of it',
  'service logs': 'what it prints are lines of a log',
  'service uninstall': 'it shows commands and asks; `service status --json` tells what came of it',
};

const CODES = new Set<number>([...Object.values(EXIT), 130]);

interface Walked {
  path: string;
  command: Command;
  help: string;
}

function walk(): Walked[] {
  const program = buildProgram(() => undefined);
  const all: Walked[] = [];
  const visit = (command: Command, path: string): void => {
    let help = '';
    command.configureOutput({ writeOut: (text) => (help += text) });
    command.outputHelp();
    all.push({ path, command, help });
    for (const below of command.commands) visit(below, `${path} ${below.name()}`);
  };
  for (const command of program.commands) visit(command, command.name());
  return all;
}

const walked = walk();

describe('each command', () => {
  for (const { path, command, help } of walked) {
    test(path, () => {
      assert.ok(command.summary().length > 0, 'it has a summary');
      assert.match(command.summary(), /^[a-z].*[^.]$/, 'which stands in a list');
      const isLeaf = command.commands.length === 0;
      assert.ok(command.description().length > 0 || isLeaf, 'it has a description');
      const examples = /\nExamples:\n((?: {2}.*\n)+)/.exec(help)?.[1] ?? '';
      assert.match(
        examples,
        new RegExp(`espalier ${path.split(' ')[0]}\\b`),
        'its help has an example of itself',
      );
      const codes = [
        ...(/\nExit codes:\n((?: {2}.*\n?)+)/.exec(help)?.[1] ?? '').matchAll(/^ {2}(\d+) {2}\S/gm),
      ].map((match) => Number(match[1]));
      assert.deepEqual(codes.slice(0, 2), [0, 1], 'its help has its exit codes');
      assert.ok(
        codes.every((code) => CODES.has(code)),
        `${codes}`,
      );
      if (isLeaf) {
        const hasJson = command.options.some(({ long }) => long === '--json');
        assert.notEqual(hasJson, path in WITHOUT_JSON, 'it has --json, or a reason why not');
      }
      for (const { long, description } of command.options)
        assert.ok(description, `${long} has a description`);
      for (const { description, argChoices, variadic } of command.registeredArguments)
        assert.ok(description || argChoices || variadic, 'its arguments have descriptions');
    });
  }
});

test('a letter means the same option everywhere', () => {
  const longs = new Map<string, Map<string, string[]>>();
  for (const { path, command } of walked) {
    for (const { short, long } of command.options) {
      if (!short || !long) continue;
      const uses = longs.get(short) ?? new Map<string, string[]>();
      uses.set(long, [...(uses.get(long) ?? []), path]);
      longs.set(short, uses);
    }
  }
  for (const [short, uses] of longs)
    assert.equal(
      uses.size,
      1,
      `${short} is ${[...uses].map(([long, paths]) => `${long} in ${paths.join(', ')}`).join('; ')}`,
    );
});

/** What one word may take in several ways, and why. */
const SEVERAL_WAYS: Record<string, string> = {
  '--model': 'a folder, or the id by which the cluster knows it',
};

test('an option takes the same everywhere, and has the same letter', () => {
  const uses = new Map<string, Set<string>>();
  for (const { command } of walked) {
    for (const { long, flags } of command.options) {
      if (!long || long in SEVERAL_WAYS) continue;
      uses.set(long, (uses.get(long) ?? new Set()).add(flags));
    }
  }
  const differing = [...uses.values()].filter((flags) => flags.size > 1).map((flags) => [...flags]);
  assert.deepEqual(differing, []);
  assert.ok(uses.size > 20);
});

test('no command is missing: the list is what issue and documentation promise', () => {
  const names = walked.map(({ path }) => path);
  for (const name of [
    ...[
      'up',
      'agent',
      'controller',
      'dashboard',
      'chat',
      'status',
      'plan',
      'pair',
      'doctor',
      'incidents',
      'trace',
    ],
    ...[
      'bench',
      'key create',
      'connect',
      'completion',
      'models pull',
      'engine install',
      'setup',
      'service install',
    ],
  ])
    assert.ok(names.includes(name), name);
});
