import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { buildProgram } from '../../../scripts/cli/program.ts';
import { cliDocument } from '../../../scripts/docs/cli-document.ts';
import { projectDir } from '../../support/paths.ts';

test('docs/cli.md is what the program says of itself', () => {
  const path = join(projectDir, 'docs', 'cli.md');
  const wanted = cliDocument(buildProgram(() => undefined));
  assert.ok(!wanted.includes(projectDir), 'a path of this machine is in the help');
  if (process.env.ESPALIER_UPDATE_DOCS === '1') writeFileSync(path, wanted);
  assert.equal(
    readFileSync(path, 'utf8'),
    wanted,
    'ESPALIER_UPDATE_DOCS=1 npm test -- test/scripts/docs writes it anew',
  );
});
