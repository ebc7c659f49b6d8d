// The ranks' Python as ruff and mypy (strict) see it, and its pure hearts against ours. In CI the tools are installed
// beside the engine; elsewhere this is skipped unless they are there.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { execa } from 'execa';
import { rankSource } from '../../../agent/mlx-distributed/sources.ts';
import { noMlx, testEnginesDir } from '../../support/mlx.ts';

const TOOLS = ['ruff==0.17.6', 'mypy==2.4.1'];
const skip = await noMlx();
const bin = join(testEnginesDir, 'mlx-distributed', 'python', 'bin');
const sources = dirname(rankSource('rank.py'));
const toolsDir = join(testEnginesDir, 'python-checks');
const python = join(bin, 'python');

async function noTools(): Promise<string | false> {
  if (skip) return skip;
  if (process.env.ESPALIER_CI === '1') {
    const install = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check'];
    await execa(python, [...install, '--target', toolsDir, '--upgrade', ...TOOLS]);
  }
  return existsSync(toolsDir) ? false : `${toolsDir} is not there: CI installs ${TOOLS.join(' and ')}`;
}

describe('the Python of the ranks', { skip: await noTools(), timeout: 300_000 }, () => {
  const run = (args: string[]) =>
    execa(python, ['-m', ...args], {
      cwd: sources,
      env: { PYTHONPATH: toolsDir, MYPY_CACHE_DIR: join(toolsDir, '.mypy'), RUFF_NO_CACHE: 'true' },
      reject: false,
      all: true,
    });

  test('ruff finds nothing, and nothing to format', async () => {
    const { all, exitCode } = await run(['ruff', 'check', '.']);
    assert.equal(exitCode, 0, all);
    const formatted = await run(['ruff', 'format', '--check', '.']);
    assert.equal(formatted.exitCode, 0, formatted.all);
  });

  test('mypy, strict, finds nothing', async () => {
    const { all, exitCode } = await run(['mypy', '--python-executable', python]);
    assert.equal(exitCode, 0, all);
  });
});
