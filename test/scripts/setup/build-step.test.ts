// The build: when it is due, and that dist/ holds exactly what the sources give, with the real compiler.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { buildStep, outputOf, staleOutputs } from '../../../scripts/setup/build-step.mjs';
import { projectDir } from '../../support/paths.ts';
import { contextFor } from './context.ts';

test('each kind of source has its output', () => {
  assert.equal(outputOf('agent/main.ts'), 'agent/main.js');
  assert.equal(outputOf('dashboard/views/app.tsx'), 'dashboard/views/app.js');
  assert.equal(outputOf('scripts/setup/main.mjs'), 'scripts/setup/main.mjs');
  assert.equal(outputOf('agent/mlx.d.ts'), undefined);
  assert.equal(outputOf('test/fixtures/reference.json'), undefined);
});

test('only outputs without a source are stale, and nothing of another kind', () => {
  const outputs = ['a/kept.js', 'a/kept.js.map', 'a/gone.js', 'a/gone.js.map', '.tsbuildinfo', 'a/notes.txt'];
  assert.deepEqual(staleOutputs(outputs, new Set(['a/kept.ts'])), ['a/gone.js', 'a/gone.js.map']);
});

test('a project is built once, again after a change, and keeps nothing of a removed source', async () => {
  const root = mkdtempSync(join(tmpdir(), 'espalier build '));
  after(() => rmSync(root, { recursive: true }));
  const write = (path: string, text: string) => {
    mkdirSync(join(root, path, '..'), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  symlinkSync(join(projectDir, 'node_modules'), join(root, 'node_modules'));
  write('package-lock.json', '{}');
  write(
    'tsconfig.json',
    JSON.stringify({
      compilerOptions: {
        module: 'nodenext',
        rootDir: '.',
        outDir: 'dist',
        incremental: true,
        tsBuildInfoFile: 'dist/.tsbuildinfo',
        types: [],
      },
      include: ['agent', 'protocol'],
    }),
  );
  write('agent/one.ts', 'export const one: number = 1;\n');
  write('agent/deep/two.ts', 'export const two: number = 2;\n');
  const context = contextFor(root);
  const dist = (path: string) => existsSync(join(root, 'dist', path));

  assert.notEqual(buildStep.due(context), undefined);
  await buildStep.perform(context);
  assert.equal(buildStep.due(context), undefined);
  assert.ok(dist('agent/one.js') && dist('agent/deep/two.js'));

  rmSync(join(root, 'agent/deep/two.ts'));
  assert.notEqual(buildStep.due(context), undefined);
  await buildStep.perform(context);
  assert.ok(dist('agent/one.js'));
  assert.equal(dist('agent/deep'), false);

  // tsc's own notes say that this file is written: it must come back all the same
  rmSync(join(root, 'dist/agent/one.js'));
  assert.notEqual(buildStep.due(context), undefined);
  await buildStep.perform(context);
  assert.ok(dist('agent/one.js'));
  assert.equal(buildStep.due(context), undefined);

  write('agent/one.ts', 'export const one: number = "1";\n');
  await assert.rejects(buildStep.perform(context), /do not compile/);
  assert.notEqual(buildStep.due(context), undefined);
});
