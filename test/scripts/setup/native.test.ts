// Binaries by their first bytes (real files where this machine has them), and the advice about missing libraries.
import assert from 'node:assert/strict';
import { closeSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { binaryKind, blasCommand, missingLibrary, runsOn } from '../../../scripts/setup/native.mjs';
import { projectDir } from '../../support/paths.ts';

function head(bytes: readonly number[]): Uint8Array {
  return Uint8Array.from([...bytes, ...new Array<number>(20 - bytes.length).fill(0)]);
}

const ELF_X64 = head([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 62, 0]);
const ELF_ARM64 = head([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 183, 0]);
const MACH_O_ARM64 = head([0xcf, 0xfa, 0xed, 0xfe, 0x0c, 0, 0, 0x01]);
const MACH_O_X64 = head([0xcf, 0xfa, 0xed, 0xfe, 0x07, 0, 0, 0x01]);

test('the kinds of binaries', () => {
  assert.equal(binaryKind(ELF_X64), 'elf-x64');
  assert.equal(binaryKind(ELF_ARM64), 'other');
  assert.equal(binaryKind(MACH_O_ARM64), 'mach-o-arm64');
  assert.equal(binaryKind(MACH_O_X64), 'other');
  assert.equal(binaryKind(head([0xca, 0xfe, 0xba, 0xbe])), 'mach-o-fat');
  assert.equal(binaryKind(new TextEncoder().encode('<html>Not Found</html>')), 'other');
  assert.equal(binaryKind(ELF_X64.subarray(0, 8)), 'other');
});

test('a kind is right for one platform only', () => {
  assert.ok(runsOn('elf-x64', 'linux'));
  assert.ok(runsOn('mach-o-arm64', 'darwin'));
  assert.ok(runsOn('mach-o-fat', 'darwin'));
  assert.equal(runsOn('elf-x64', 'darwin'), false);
  assert.equal(runsOn('mach-o-arm64', 'linux'), false);
  assert.equal(runsOn('other', 'linux'), false);
});

test('the binaries of this machine are recognized as its own', () => {
  for (const file of [
    process.execPath,
    join(projectDir, 'node_modules/@frost-beta/mlx/build/Release/mlx.node'),
  ]) {
    const bytes = new Uint8Array(20);
    const descriptor = openSync(file, 'r');
    readSync(descriptor, bytes);
    closeSync(descriptor);
    assert.ok(runsOn(binaryKind(bytes), process.platform), file);
  }
});

test('the missing library is read from what dlopen says', () => {
  const missing = 'libopenblas.so.0: cannot open shared object file: No such file or directory';
  assert.equal(missingLibrary(missing), 'libopenblas.so.0');
  assert.equal(missingLibrary("/lib/libc.so.6: version `GLIBC_2.38' not found"), undefined);
});

test('the command for BLAS is the one of the package manager that is there', () => {
  const only = (name: string) => (program: string) => program === name;
  assert.equal(
    blasCommand(only('apt-get'), false),
    'sudo apt-get update && sudo apt-get install -y --no-install-recommends libopenblas0 liblapack3',
  );
  assert.match(blasCommand(only('apt-get'), true), /^apt-get update && apt-get install /);
  assert.match(blasCommand(only('dnf'), true), /^dnf install /);
  assert.match(blasCommand(only('pacman'), false), /^sudo pacman -S /);
  assert.match(
    blasCommand(() => false, true),
    /libopenblas\.so\.0 and liblapack\.so\.3/,
  );
});
