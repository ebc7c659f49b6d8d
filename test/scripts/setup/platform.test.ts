// Which machines and which Node: the rules, and that the committed recipe and package.json follow them.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { z } from 'zod';
import { isSupported, NODE_PACKAGES, nodePackage, satisfies } from '../../../scripts/setup/platform.mjs';
import { projectDir } from '../../support/paths.ts';

const Lock = z.object({
  packages: z.record(
    z.string(),
    z.object({
      version: z.string().optional(),
      integrity: z.string().optional(),
      resolved: z.string().optional(),
    }),
  ),
});

function read(path: string): unknown {
  return JSON.parse(readFileSync(join(projectDir, path), 'utf8'));
}

test('versions are compared number by number', () => {
  assert.ok(satisfies('v22.18.0', '>=22.18'));
  assert.ok(satisfies('v22.100.0', '>=22.18'));
  assert.ok(satisfies('v26.0.0', '>=22.18'));
  assert.ok(satisfies('v22.18.3', '>= 22.18.3'));
  assert.ok(satisfies('v23.0.0-nightly', '>=23'));
  assert.equal(satisfies('v22.17.9', '>=22.18'), false);
  assert.equal(satisfies('v20.20.2', '>=22.18'), false);
  assert.equal(satisfies('v22.18.2', '>=22.18.3'), false);
});

test('a range or version in another form is refused, not misread', () => {
  assert.throws(() => satisfies('v22.18.0', '^22.18'), /write it as ">=22\.18"/);
  assert.throws(() => satisfies('twenty', '>=22.18'), /not a version of Node/);
});

test('only Macs with Apple silicon and Linux x64 are supported', () => {
  assert.ok(isSupported('darwin', 'arm64'));
  assert.ok(isSupported('linux', 'x64'));
  assert.equal(isSupported('darwin', 'x64'), false);
  assert.equal(isSupported('linux', 'arm64'), false);
  assert.equal(isSupported('win32', 'x64'), false);
  assert.throws(() => nodePackage('win32', 'x64'), RangeError);
});

test('the recipe brings a Node that package.json accepts, by checksum and from any registry', () => {
  const { engines } = z.object({ engines: z.object({ node: z.string() }) }).parse(read('package.json'));
  const { packages } = Lock.parse(read('scripts/setup/node/package-lock.json'));
  for (const name of Object.values(NODE_PACKAGES)) {
    const locked = packages[`node_modules/${name}`];
    assert.ok(locked?.version !== undefined, `${name} is in the lock`);
    assert.ok(satisfies(locked.version, engines.node), `${name} ${locked.version}`);
    assert.match(locked.integrity ?? '', /^sha512-/);
    assert.equal(locked.resolved, undefined);
  }
});
