// The Python environment of the benches, made once in the set-up's own folder: mlx-lm to compare with, and mlx to make
// the model that is compared. The product itself needs no Python.
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { packageFacts } from '../cli/package-root.ts';
import { BenchError } from './bench-error.ts';

/** Half a gigabyte over a home's line. */
const INSTALL_TIMEOUT_MS = 1_200_000;
const VENV_TIMEOUT_MS = 120_000;
/** The end of what a failed command said: its reason stands there. */
const SHOWN_LINES = 12;

const NEEDED =
  'install Python 3.10 or newer with its venv module (Debian, Ubuntu: apt-get install python3 python3-venv; ' +
  'Mac: https://www.python.org/downloads), so that `python3 -m venv` works, then run the bench again';

/** What the benches keep from one run to the next. */
export function benchCacheDir(): string {
  return join(packageFacts().root, '.setup', 'bench');
}

/** A file of scripts/bench that is not TypeScript: it lies in the sources only. */
export function benchSource(name: string): string {
  return join(packageFacts().root, 'scripts', 'bench', name);
}

/**
 * Makes the environment, if it is not there as requirements.txt wants it.
 * @returns its python
 * @throws BenchError when Python, venv, the network or a package is missing
 */
export async function benchPython(say: (line: string) => void): Promise<string> {
  const folder = join(benchCacheDir(), 'python');
  const python = join(folder, 'bin', 'python');
  const stamp = join(folder, 'installed.txt');
  const requirements = benchSource('requirements.txt');
  const wanted = await readFile(requirements, 'utf8');
  const installed = await readFile(stamp, 'utf8').catch(() => undefined);
  if (installed === wanted && existsSync(python)) return python;
  say(`making a Python environment with mlx and mlx-lm in ${folder} (once, a minute or two)`);
  await rm(folder, { recursive: true, force: true });
  await mkdir(dirname(folder), { recursive: true });
  await run('python3', ['-m', 'venv', folder], VENV_TIMEOUT_MS, NEEDED);
  const install = ['-m', 'pip', 'install', '--disable-pip-version-check', '--no-input', '-r', requirements];
  const fix =
    'see to it that pip reaches its package index, and that python3 is 3.10 or newer (mlx has no packages for older ' +
    'ones), then run the bench again';
  await run(python, install, INSTALL_TIMEOUT_MS, fix);
  await writeFile(stamp, wanted);
  return python;
}

async function run(file: string, args: string[], timeout: number, fix: string): Promise<void> {
  const options = { timeout, stdin: 'ignore', all: true, reject: false } as const;
  const { failed, shortMessage, all } = await execa(file, args, options);
  if (!failed) return;
  const reason = all?.trim().split('\n').slice(-SHOWN_LINES).join('\n');
  throw new BenchError([shortMessage, reason].filter(Boolean).join('\n'), fix);
}
