import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nodeProblem } from '../../../scripts/cli/node-check.ts';

test('a Node that is new enough is no problem', () => {
  for (const version of ['22.18.0', '22.18.1', '22.23.2', '23.0.0', '26.10.0', '100.0.0']) {
    assert.equal(nodeProblem(version, '>=22.18'), undefined, version);
  }
});

test('an older Node is named, with the version that is needed and a way out', () => {
  for (const version of ['22.17.9', '20.20.2', '18.0.0', '9.11.2']) {
    const problem = nodeProblem(version, '>=22.18');
    assert.match(
      problem ?? '',
      new RegExp(`needs Node 22\\.18 or newer; this is Node ${version.replaceAll('.', '\\.')}\\.`),
    );
    assert.match(problem ?? '', /→ Install/);
  }
});

test('patch versions count', () => {
  assert.equal(nodeProblem('22.18.3', '>=22.18.3'), undefined);
  assert.notEqual(nodeProblem('22.18.2', '>=22.18.3'), undefined);
});
