import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ESPALIER_VERSION, versionMismatch } from '../../protocol/version.ts';
import { projectDir } from '../support/paths.ts';

test('the version is that of package.json', () => {
  const { version } = JSON.parse(readFileSync(join(projectDir, 'package.json'), 'utf8')) as {
    version: string;
  };
  assert.equal(ESPALIER_VERSION, version);
});

test('of two versions, the older side is to be upgraded', () => {
  const at = (who: string, protocol: number) => ({ who, protocol });
  assert.equal(versionMismatch(at('the controller', 2), at('node studio-1', 2)), undefined);
  assert.match(
    versionMismatch(at('the controller', 2), at('node studio-1', 1)) ?? '',
    /upgrade .* node studio-1\.$/,
  );
  assert.match(
    versionMismatch(at('the controller', 2), at('node studio-1', 3)) ?? '',
    /upgrade .* the controller\.$/,
  );
});
