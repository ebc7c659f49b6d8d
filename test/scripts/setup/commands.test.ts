// What each command runs, and how named tests become compiled files.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { invocations, testArguments } from '../../../scripts/setup/commands.mjs';

const root = mkdtempSync(join(tmpdir(), 'espalier commands '));
after(() => rmSync(root, { recursive: true }));
const files = [
  'dist/test/a/one.test.js',
  'dist/test/a/helper.js',
  'dist/test/b/two.test.js',
  'dist/test/lab/long.test.js',
];
for (const path of files) {
  mkdirSync(join(root, path, '..'), { recursive: true });
  writeFileSync(join(root, path), '');
}
const one = join('dist/test/a/one.test.js');
const two = join('dist/test/b/two.test.js');
/** absolute: the runner begins with it */
const long = join(root, 'dist/test/lab/long.test.js');
const place = { root, startDir: root };

test('all tests, each by name, when none is named', () => {
  assert.deepEqual(testArguments([], place), [one, two, long]);
  assert.deepEqual(testArguments(['--test-only'], place), ['--test-only', one, two, long]);
});

test('a test is named by its source, its compiled file, or a folder', () => {
  assert.deepEqual(testArguments(['test/a/one.test.ts'], place), [one]);
  assert.deepEqual(testArguments(['dist/test/a/one.test.js'], place), [one]);
  assert.deepEqual(testArguments(['test/b', 'test/a/'], place), [two, one]);
  assert.deepEqual(testArguments(['one.test.ts'], { root, startDir: join(root, 'test/a') }), [one]);
});

test("an option's value is not taken for a file", () => {
  assert.deepEqual(testArguments(['--test-name-pattern', 'npm', 'test/a'], place), [
    '--test-name-pattern',
    'npm',
    one,
  ]);
});

test('a name that is no test is an error, not a run of nothing', () => {
  for (const name of ['test/a/gone.test.ts', 'test/a/helper.ts', '../outside.test.ts']) {
    assert.throws(() => testArguments([name], place), /there is no test/);
  }
  const empty = join(root, 'empty');
  assert.throws(() => testArguments([], { root: empty, startDir: empty }), /there are no tests/);
});

test('the CLI runs where the user stands, tests where the checkout is', () => {
  const elsewhere = { root, startDir: '/tmp' };
  const [cli] = invocations('espalier', ['chat', 'a question'], elsewhere);
  assert.deepEqual(cli, {
    args: [join(root, 'dist/scripts/cli/main.js'), 'chat', 'a question'],
    cwd: '/tmp',
    ownsInterrupt: true,
  });
  assert.equal(invocations('espalier', ['demo'], elsewhere)[0]?.ownsInterrupt, false);
  assert.equal(invocations('test', [], elsewhere)[0]?.cwd, root);
});

test('a check is the types, those of the web view too, and the linter; a build runs nothing more', () => {
  const args = invocations('check', [], place).map((step) => step.args);
  assert.equal(args.length, 3);
  assert.ok(args[0]?.includes('--noEmit'));
  assert.deepEqual(args[2]?.slice(1), ['check', '.']);
  assert.deepEqual(invocations('build', [], place), []);
  assert.deepEqual(invocations('package', [], { ...place, env: process.env })[0]?.args.slice(1, 4), [
    'pack',
    '--pack-destination',
    root,
  ]);
});
