// When `npm ci` is due: package-lock.json against the lock that npm keeps in node_modules.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { firstDifference } from '../../../scripts/setup/packages-step.mjs';
import { projectDir } from '../../support/paths.ts';

const LINUX = { platform: 'linux', arch: 'x64' };
const MAC = { platform: 'darwin', arch: 'arm64' };

const LOCK = {
  packages: {
    '': { version: '0.1.0' },
    'node_modules/ws': { version: '8.0.0', integrity: 'sha512-ws' },
    'node_modules/ws/node_modules/inner': { version: '1.0.0', integrity: 'sha512-inner' },
    'node_modules/native-linux': {
      version: '1.0.0',
      integrity: 'sha512-linux',
      optional: true,
      os: ['linux'],
      cpu: ['x64'],
    },
    'node_modules/native-musl': {
      version: '1.0.0',
      integrity: 'sha512-musl',
      optional: true,
      os: ['linux'],
      cpu: ['x64'],
      libc: ['musl'],
    },
    'node_modules/native-mac': {
      version: '1.0.0',
      integrity: 'sha512-mac',
      optional: true,
      os: 'darwin',
      cpu: 'arm64',
    },
    'node_modules/below-an-optional': { version: '1.0.0', integrity: 'sha512-below', optional: true },
  },
};

function without(...names: string[]): typeof LOCK {
  const kept = Object.entries(LOCK.packages).filter(([path]) => !names.some((name) => path.endsWith(name)));
  return { packages: Object.fromEntries(kept) } as typeof LOCK;
}

test('nothing is due for what npm installs on this platform', () => {
  const linux = without('native-musl', 'native-mac', 'below-an-optional');
  assert.equal(firstDifference(LOCK, linux, LINUX), undefined);
  assert.equal(firstDifference(LOCK, without('native-linux', 'native-musl'), MAC), undefined);
});

test('a node_modules from another platform is noticed', () => {
  assert.equal(firstDifference(LOCK, without('native-musl', 'native-mac'), MAC), 'native-mac');
  assert.equal(firstDifference(LOCK, without('native-linux'), LINUX), 'native-linux');
});

test('a missing package is named, and another version of one', () => {
  assert.equal(firstDifference(LOCK, without('ws'), LINUX), 'ws');
  assert.equal(firstDifference(LOCK, without('inner'), LINUX), 'inner');
  const other = structuredClone(LOCK);
  other.packages['node_modules/ws'].integrity = 'sha512-older';
  assert.equal(firstDifference(LOCK, other, LINUX), 'ws');
  assert.equal(firstDifference(LOCK, undefined, LINUX), 'ws');
});

test('the lock and the installation of this very checkout agree', () => {
  const read = (path: string): typeof LOCK => JSON.parse(readFileSync(join(projectDir, path), 'utf8'));
  const difference = firstDifference(read('package-lock.json'), read('node_modules/.package-lock.json'), {
    platform: process.platform,
    arch: process.arch,
  });
  assert.equal(difference, undefined);
});
