// Where npm is found, and the cache that it gets where HOME is of no use.
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { findNpm, npmEnvironment, onPath } from '../../../scripts/setup/npm.mjs';

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'espalier npm ')));
after(() => rmSync(folder, { recursive: true }));

const bin = join(folder, 'bin');
const cli = join(folder, 'lib/npm/bin/npm-cli.js');
mkdirSync(bin);
mkdirSync(join(cli, '..'), { recursive: true });
writeFileSync(cli, '');
chmodSync(cli, 0o755);
symlinkSync(cli, join(bin, 'npm'));
const elsewhere = join(folder, 'no-node-here/bin/node');

test('npm is the one that started us, else the one on PATH, through its link', () => {
  assert.equal(findNpm({ npm_execpath: cli, PATH: '' }, elsewhere), cli);
  assert.equal(findNpm({ PATH: `/nowhere:${bin}` }, elsewhere), cli);
});

test('another package manager is not taken for npm', () => {
  const yarn = join(folder, 'yarn.js');
  writeFileSync(yarn, '');
  assert.equal(findNpm({ npm_execpath: yarn, PATH: bin }, elsewhere), cli);
});

test('without npm the error says where to get it', () => {
  assert.throws(
    () => findNpm({ PATH: '/nowhere' }, elsewhere),
    (error: Error & { fix?: string }) =>
      /npm was not found/.test(error.message) && /PATH/.test(error.fix ?? ''),
  );
});

test('a program must be executable to be on PATH', () => {
  writeFileSync(join(bin, 'plain'), '');
  chmodSync(join(bin, 'plain'), 0o644);
  assert.equal(onPath('plain', bin), undefined);
  assert.equal(onPath('npm', undefined), undefined);
});

test('npm keeps its own cache wherever that can be written', () => {
  const own = join(folder, 'checkout/.setup/npm-cache');
  const root = join(folder, 'checkout');
  const home = join(folder, 'home');
  mkdirSync(home);
  const usual = { HOME: home };
  assert.equal(npmEnvironment(usual, root, own), usual);
  const chosen = { HOME: home, npm_config_cache: join(folder, 'cache') };
  assert.equal(npmEnvironment(chosen, root, own).npm_config_cache, join(folder, 'cache'));
});

test('an empty or unusable HOME gets a cache in the checkout, not a folder called "~"', () => {
  const root = join(folder, 'checkout');
  const own = join(root, '.setup/npm-cache');
  const file = join(folder, 'a-file');
  writeFileSync(file, '');
  assert.equal(npmEnvironment({ HOME: '' }, root, own).npm_config_cache, own);
  assert.equal(
    npmEnvironment({ HOME: '', npm_config_cache: join(root, '~/.npm') }, root, own).npm_config_cache,
    own,
  );
  assert.equal(npmEnvironment({ HOME: file }, root, own).npm_config_cache, own);
});
