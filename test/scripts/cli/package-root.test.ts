import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { demoModelDir, packageFacts } from '../../../scripts/cli/package-root.ts';

test('the package is found from the compiled files, and its demo model with it', () => {
  const { root, version, engines } = packageFacts();
  const json = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  assert.equal(json.name, 'espalier');
  assert.equal(version, json.version);
  assert.equal(engines, json.engines.node);
  assert.ok(existsSync(join(demoModelDir(), 'config.json')));
});
