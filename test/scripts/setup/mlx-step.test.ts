// node-mlx's binary: the real one is loaded once and then remembered; a wrong one, as the package brings it to a Mac,
// is replaced by the package's own install script.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { z } from 'zod';
import { mlxStep } from '../../../scripts/setup/mlx-step.mjs';
import { projectDir } from '../../support/paths.ts';
import { contextFor } from './context.ts';

const ELF = [127, 69, 76, 70, 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 62, 0];
const MACH_O = [207, 250, 237, 254, 12, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

const top = mkdtempSync(join(tmpdir(), 'espalier mlx '));
after(() => rmSync(top, { recursive: true }));

/** A checkout with a package whose install script is `script`, and the binary of Linux, as its tarball has it. */
function checkoutWith(name: string, script: string): string {
  const root = join(top, name);
  const folder = join(root, 'node_modules/@frost-beta/mlx');
  mkdirSync(join(folder, 'build/Release'), { recursive: true });
  writeFileSync(join(folder, 'build/Release/mlx.node'), Uint8Array.from(ELF));
  writeFileSync(join(folder, 'install.js'), script);
  return root;
}

function onMac(root: string) {
  return { ...contextFor(root), platform: 'darwin', arch: 'arm64' };
}

test('the binary of this machine is loaded once; a library that goes makes the check due again', async () => {
  const root = join(top, 'real');
  mkdirSync(root);
  symlinkSync(join(projectDir, 'node_modules'), join(root, 'node_modules'));
  const context = contextFor(root);
  assert.notEqual(mlxStep.due(context), undefined);
  await mlxStep.perform(context);
  assert.equal(mlxStep.due(context), undefined);

  const stampPath = join(root, '.setup/mlx.json');
  const stamp = z
    .looseObject({ libraries: z.array(z.string()) })
    .parse(JSON.parse(readFileSync(stampPath, 'utf8')));
  if (process.platform === 'linux') assert.ok(stamp.libraries.some((path) => path.includes('openblas')));
  writeFileSync(stampPath, JSON.stringify({ ...stamp, libraries: ['/lib/libopenblas.so.0.gone'] }));
  assert.notEqual(mlxStep.due(context), undefined);
});

test("on a Mac the binary of Linux is replaced by the package's own install script", async () => {
  const root = checkoutWith(
    'mac',
    `const { writeFileSync } = require('node:fs');
     writeFileSync('build/Release/mlx.node', Uint8Array.from(${JSON.stringify(MACH_O)}));
     writeFileSync('build/Release/mlx.metallib', 'MTLB');`,
  );
  const said: string[] = [];
  const context = { ...onMac(root), say: (text: string) => void said.push(text) };
  assert.notEqual(mlxStep.due(context), undefined);
  // twenty bytes of Mach-O cannot be loaded, here or on a Mac: the step must notice, and say so
  await assert.rejects(mlxStep.perform(context), /node-mlx cannot be loaded/);
  assert.match(said.join(), /downloading the binary of node-mlx/);
  assert.notEqual(mlxStep.due(context), undefined);
});

test('a download that broke off is fetched again on a Mac', async () => {
  const root = checkoutWith('cut-off', "require('node:fs').appendFileSync('runs', 'x');");
  const release = join(root, 'node_modules/@frost-beta/mlx/build/Release');
  writeFileSync(join(release, 'mlx.node'), Uint8Array.from(MACH_O));
  writeFileSync(join(release, 'mlx.metallib'), 'MTLB');
  await assert.rejects(mlxStep.perform(onMac(root)), /cannot be loaded/);
  assert.equal(readFileSync(join(root, 'node_modules/@frost-beta/mlx/runs'), 'utf8'), 'x');
});

test('an install script that fails, or brings nothing, is an error with the command to repeat', async () => {
  for (const script of ['process.exit(1)', '']) {
    const root = checkoutWith(`failing ${script.length}`, script);
    await assert.rejects(
      mlxStep.perform(onMac(root)),
      (error: Error & { fix?: string }) =>
        /did not bring a binary for darwin arm64/.test(error.message) &&
        /node install\.js/.test(error.fix ?? ''),
    );
  }
});
