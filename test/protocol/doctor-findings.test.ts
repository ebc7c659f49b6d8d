import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { FINDINGS, isFindingId } from '../../protocol/doctor-findings.ts';
import { projectDir } from '../support/paths.ts';

test('docs/doctor.md lists every finding as it is', () => {
  const documented = readFileSync(join(projectDir, 'docs', 'doctor.md'), 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('| `'));
  const expected = Object.entries(FINDINGS).map(
    ([id, { severity, why }]) => `| \`${id}\` | ${severity} | ${why} |`,
  );
  assert.deepEqual(documented, expected);
});

/** A finding whose kind doctor does not know would be left out without a word. */
test('doctor knows every kind of finding that the links have', () => {
  const folder = join(projectDir, 'controller', 'links');
  const kinds = readdirSync(folder).flatMap((file) =>
    [...readFileSync(join(folder, file), 'utf8').matchAll(/\bid: `([a-z-]+) /g)].map(
      (match) => match[1] ?? '',
    ),
  );
  assert.ok(kinds.length > 8, `${kinds}`);
  assert.deepEqual(
    kinds.filter((kind) => !isFindingId(kind)),
    [],
  );
});
