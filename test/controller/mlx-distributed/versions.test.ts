import assert from 'node:assert/strict';
import { test } from 'node:test';
import { versionFindings } from '../../../controller/mlx-distributed/versions.ts';

const ready = (name: string, mlx: string, python = '3.13.1') => ({
  name,
  state: { state: 'ready' as const, versions: { mlx, python, 'mlx-lm': '0.32.2' } },
});

test('packages that differ are named with every node; Python may differ', () => {
  assert.deepEqual(versionFindings([ready('a', '1'), ready('b', '1', '3.11.0')]), []);
  const findings = versionFindings([
    ready('a', '1'),
    ready('b', '2'),
    { name: 'c', state: { state: 'missing' } },
  ]);
  assert.equal(findings.length, 1);
  assert.match(findings[0]?.text ?? '', /versions of mlx: a has 1, b has 2$/);
});
