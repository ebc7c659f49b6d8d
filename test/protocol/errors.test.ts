import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ERRORS } from '../../protocol/errors.ts';
import { projectDir } from '../support/paths.ts';

test('docs/errors.md lists every error as it is', () => {
  const documented = readFileSync(join(projectDir, 'docs', 'errors.md'), 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('| `'));
  const expected = Object.entries(ERRORS).map(
    ([code, { status, solve }]) => `| \`${code}\` | ${status} | ${solve} |`,
  );
  assert.deepEqual(documented, expected);
});
