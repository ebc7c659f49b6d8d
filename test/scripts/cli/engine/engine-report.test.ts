// What `espalier engine list` says of each state, and of versions that differ.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EngineState } from '../../../../protocol/ranks.ts';
import { type EngineList, engineList, engineListText } from '../../../../scripts/cli/engine/engine-report.ts';

const list = (...states: EngineState[]): EngineList => ({
  controller: 'http://127.0.0.1:7117',
  nodes: states.map((engine, i) => ({ name: `studio-${i + 1}`, engine })),
  findings: [],
});

test('each node has a line with what there is to know or to do', () => {
  const text = engineListText(
    list(
      { state: 'missing' },
      { state: 'installing', step: 'installing mlx' },
      { state: 'failed', code: 'engine_install_failed', message: 'the disk is full.\nand a long log' },
      { state: 'ready', versions: { mlx: '0.32.4', python: '3.11.7' } },
    ),
  );
  const lines = text.split('\n');
  assert.equal(lines.length, 4);
  assert.match(lines[0] ?? '', /^studio-1 .*missing .*`espalier engine install mlx-distributed`/);
  assert.match(lines[1] ?? '', /installing {2}installing mlx$/);
  assert.match(lines[2] ?? '', /failed {6}the disk is full\.$/);
  assert.match(lines[3] ?? '', /ready {7}mlx 0\.32\.4, python 3\.11\.7$/);
});

test('without a controller it is this machine alone, and an address that is none is an error', async () => {
  const alone = await engineList('http://127.0.0.1:1', '/nowhere');
  assert.equal(alone.controller, null);
  assert.deepEqual(
    alone.nodes.map(({ engine }) => engine),
    [{ state: 'missing' }],
  );
  assert.match(engineListText(alone), /^\(no controller answers: this machine alone\)/);
  await assert.rejects(engineList('not an address', '/nowhere'), { code: 'bad_option' });
});
