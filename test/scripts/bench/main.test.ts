import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { execaNode } from 'execa';

const MAIN = fileURLToPath(new URL('../../../scripts/bench/main.js', import.meta.url));

const bench = (...args: string[]) => execaNode(MAIN, args, { reject: false, timeout: 30_000 });

test('a suite that does not exist is named, with those that do', async () => {
  const { exitCode, stderr, stdout } = await bench('motors');
  assert.equal(exitCode, 2);
  assert.match(stderr, /"motors".*api, cluster, dashboard, engine, engines, faults, long/);
  assert.equal(stdout, '');
});

for (const rounds of ['0', '-1', '1.5', 'many', '']) {
  test(`--rounds "${rounds}" is refused with what it takes`, async () => {
    const { exitCode, stderr } = await bench('cluster', '--rounds', rounds);
    assert.equal(exitCode, 1);
    assert.match(stderr, /from 1 to 1000/);
  });
}
