// The model of the engine's bench, made once: random weights of R1's architecture, in MLX format.
import { createHash } from 'node:crypto';
import { copyFile, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { demoModelDir } from '../cli/package-root.ts';
import { benchCacheDir, benchSource } from './python-env.ts';

/** It takes five seconds. */
const MAKE_TIMEOUT_MS = 180_000;
/** A controller wants the text side of a model too; no text is ever made of random weights' answers. */
const BORROWED = ['tokenizer.json', 'tokenizer_config.json', 'generation_config.json'];

/** The model in a figure's words. On a Mac both sides compute as the file has it, which is float32 too. */
export const BENCH_MODEL = '35 MB of random deepseek_v3 (hidden 512, 8 layers, 16 experts, 4 bits), float32';

/**
 * Makes the model, if it is not there as make-model.py makes it now.
 * @param python of benchPython()
 * @returns its folder
 * @throws ExecaError with what Python said
 */
export async function benchModel(python: string, say: (line: string) => void): Promise<string> {
  const folder = join(benchCacheDir(), 'model');
  const stamp = join(folder, 'made-from.txt');
  const recipe = benchSource('make-model.py');
  const sources = await Promise.all([recipe, benchSource('requirements.txt')].map((file) => readFile(file)));
  const wanted = createHash('sha256').update(Buffer.concat(sources)).digest('hex');
  if ((await readFile(stamp, 'utf8').catch(() => undefined)) === wanted) return folder;
  say(`making a model with random weights in ${folder} (once)`);
  const partial = `${folder}.partial`;
  await rm(partial, { recursive: true, force: true });
  await mkdir(partial, { recursive: true });
  await execa(python, ['-I', recipe, partial], { timeout: MAKE_TIMEOUT_MS, stdin: 'ignore' });
  for (const file of BORROWED) await copyFile(join(demoModelDir(), file), join(partial, file));
  await writeFile(join(partial, 'made-from.txt'), wanted);
  await rm(folder, { recursive: true, force: true });
  await rename(partial, folder);
  return folder;
}
