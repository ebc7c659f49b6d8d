// The Python environment of MLX Distributed under ESPALIER_HOME: made by uv where there is one, else by venv and pip, and
// good only once a rank has run in it. A process that is killed at any time leaves nothing that the next one trusts.
import { createHash } from 'node:crypto';
import { existsSync, statfsSync } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { z } from 'zod';
import { asEspalierError, EspalierError } from '../../protocol/errors.ts';
import { ENGINE_INSTALL_TIMEOUT_MS, MAX_ENGINE_WORD_CHARS } from '../../protocol/limits.ts';
import type { EngineState } from '../../protocol/ranks.ts';
import { InstallLock } from './install-lock.ts';
import { endLeftover } from './orphans.ts';
import { PYTHON_FLAGS, rankSource } from './sources.ts';

const PROBE_TIMEOUT_MS = 20_000;
const VENV_TIMEOUT_MS = 120_000;
/** Importing mlx-lm from a cold disk. */
const VERIFY_TIMEOUT_MS = 180_000;
/** The end of what a failed command said: its reason stands there. */
const SHOWN_LINES = 8;
/** The environment takes 350 MB (measured on Linux), the wheels and what pip keeps of them as much again; and some to spare. */
const NEEDED_BYTES = 1_200_000_000;
const LEAST_PYTHON = [3, 10] as const;

/** One rank, alone: the collective goes through the same calls as among several. */
const VERIFY = `
import json, platform, sys
from importlib.metadata import version
import mlx.core as mx
if sys.platform == "linux":
    mx.set_default_device(mx.cpu)
from mlx_lm.generate import BatchGenerator
from mlx_lm.utils import load_model
assert mx.distributed.all_sum(mx.array([1.0, 2.0])).sum().item() == 3.0
print(json.dumps({"python": platform.python_version(), "mlx": version("mlx"), "mlx-lm": version("mlx-lm"),
                  "transformers": version("transformers")}))
`;

const Marker = z.object({ requirements: z.string(), versions: z.record(z.string(), z.string()) });

export interface RankEnvironment {
  python: string;
  versions: Record<string, string>;
}

function folderOf(enginesDir: string): string {
  return join(enginesDir, 'mlx-distributed');
}

/** What the marker must say: the pins, and for which machine they were installed. */
async function wantedDigest(): Promise<string> {
  const pins = await readFile(rankSource('requirements.txt'), 'utf8');
  return createHash('sha256').update(`${process.platform} ${process.arch}\n${pins}`).digest('hex');
}

/**
 * The environment as it is now; undefined while there is none that was verified with the present pins.
 * @param enginesDir where engines are installed: `engines` below ESPALIER_HOME
 */
export async function findEnvironment(enginesDir: string): Promise<RankEnvironment | undefined> {
  const folder = folderOf(enginesDir);
  const python = join(folder, 'python', 'bin', 'python');
  const text = await readFile(join(folder, 'installed.json'), 'utf8').catch(() => 'null');
  const marker = Marker.safeParse(parsed(text));
  if (!marker.success || !existsSync(python)) return undefined;
  return marker.data.requirements === (await wantedDigest())
    ? { python, versions: marker.data.versions }
    : undefined;
}

/** The same, as the controller and `espalier engine list` are told it. */
export async function engineState(enginesDir: string): Promise<EngineState> {
  const found = await findEnvironment(enginesDir);
  return found ? { state: 'ready', versions: found.versions } : { state: 'missing' };
}

/** The same again, where it must be there. @throws EspalierError engine_not_installed */
export async function requireEnvironment(enginesDir: string, node: string): Promise<RankEnvironment> {
  const found = await findEnvironment(enginesDir);
  if (found) return found;
  throw new EspalierError('engine_not_installed', `${node} has no environment of MLX Distributed`);
}

/**
 * Makes the environment, if it is not there. What pip has fetched is kept from one attempt to the next.
 * @param say takes one line before each step
 * @throws EspalierError python_missing, engine_install_failed, home_not_writable
 */
export async function installEnvironment(
  enginesDir: string,
  say: (line: string) => void,
): Promise<RankEnvironment> {
  const folder = folderOf(enginesDir);
  const present = await findEnvironment(enginesDir);
  if (present) return present;
  await mkdir(folder, { recursive: true, mode: 0o700 }).catch((error) => {
    throw new EspalierError('home_not_writable', `${folder} cannot be made (${error.code})`);
  });
  await using _lock = await InstallLock.take(join(folder, 'install.lock'), say);
  // another process may have made it while this one waited
  return (await findEnvironment(enginesDir)) ?? (await make(folder, say));
}

async function make(folder: string, say: (line: string) => void): Promise<RankEnvironment> {
  checkSpace(folder);
  const env = join(folder, 'python');
  const note = join(folder, 'install.pid');
  endLeftover(note, env);
  const run = (file: string, args: string[], timeout: number) => runStep(file, args, timeout, note);
  const python = join(env, 'bin', 'python');
  const pins = rankSource('requirements.txt');
  await rm(join(folder, 'installed.json'), { force: true });
  const uv = await works('uv', ['--version']);
  // what an interrupted attempt has made is gone on with, if it is whole
  if (!(await works(python, uv ? ['-c', 'import sys'] : ['-m', 'pip', '--version']))) {
    await rm(env, { recursive: true, force: true });
    if (uv) {
      say(`making a Python environment in ${env} with uv`);
      await run('uv', ['venv', '--quiet', '--python', '>=3.10', env], VENV_TIMEOUT_MS);
    } else {
      const base = await basePython();
      say(`making a Python environment in ${env} with ${base}`);
      await run(base, ['-m', 'venv', env], VENV_TIMEOUT_MS);
    }
  }
  say('installing mlx and mlx-lm, about 350 MB, as requirements.txt pins them');
  // a rank compiles nothing to disk (PYTHON_FLAGS), and would do so in memory at every start
  const install = uv
    ? ['uv', 'pip', 'install', '--quiet', '--compile-bytecode', '--python', python, '-r', pins]
    : [python, '-m', 'pip', 'install', '--disable-pip-version-check', '--no-input', '--quiet', '-r', pins];
  await run(install[0] as string, install.slice(1), ENGINE_INSTALL_TIMEOUT_MS);
  say('trying it: an import, and a rank alone');
  const told = await run(python, [...PYTHON_FLAGS, '-c', VERIFY], VERIFY_TIMEOUT_MS).catch(async (error) => {
    // packages that were cut off while they were unpacked look installed: the next attempt begins anew
    await rm(env, { recursive: true, force: true });
    throw error;
  });
  const versions = z.record(z.string(), z.string()).parse(parsed(told.split('\n').at(-1) ?? ''));
  // last, and at once: who finds it may rely on all that stands before it
  const marker = join(folder, 'installed.json');
  const text = JSON.stringify({ requirements: await wantedDigest(), versions });
  await writeFile(`${marker}.new`, text);
  await rename(`${marker}.new`, marker);
  return { python, versions };
}

/** The newest of the Pythons on the path that is new enough. */
async function basePython(): Promise<string> {
  const seen: string[] = [];
  for (const name of ['python3', 'python3.13', 'python3.12', 'python3.11', 'python3.10']) {
    const { stdout, failed } = await execa(name, ['-c', 'import sys; print(*sys.version_info[:2])'], {
      reject: false,
      timeout: PROBE_TIMEOUT_MS,
      stdin: 'ignore',
    });
    if (failed) continue;
    const [major = 0, minor = 0] = stdout.split(' ').map(Number);
    if (major > LEAST_PYTHON[0] || (major === LEAST_PYTHON[0] && minor >= LEAST_PYTHON[1])) return name;
    seen.push(`${name} is ${major}.${minor}`);
  }
  const what = seen.length > 0 ? seen.join(', ') : 'there is no python3 on the path';
  throw new EspalierError('python_missing', `MLX needs Python 3.10 or newer, or uv: ${what}`);
}

async function works(file: string, args: string[]): Promise<boolean> {
  const { failed } = await execa(file, args, { reject: false, timeout: PROBE_TIMEOUT_MS, stdin: 'ignore' });
  return !failed;
}

/** @param note of its process, for the next attempt @returns what it wrote on standard output */
async function runStep(file: string, args: string[], timeout: number, note: string): Promise<string> {
  // the user's own pip settings (an index, a proxy) hold; its Python settings do not
  const env = { PYTHONHOME: undefined, PYTHONPATH: undefined, PIP_TARGET: undefined, PIP_USER: undefined };
  const options = { timeout, env, stdin: 'ignore', all: true, reject: false, maxBuffer: 1_000_000 } as const;
  const step = execa(file, args, options);
  if (step.pid !== undefined) await writeFile(note, String(step.pid));
  const { failed, stdout, all, shortMessage, timedOut } = await step;
  if (!failed) return stdout;
  throw explained(`${shortMessage}\n${all ?? ''}`, timedOut);
}

/** What went wrong, as a person can mend it. */
export function explained(output: string, timedOut = false): EspalierError {
  const reason = output.trim().split('\n').slice(-SHOWN_LINES).join('\n').slice(-MAX_ENGINE_WORD_CHARS);
  if (/ensurepip is not available|No module named '?(venv|ensurepip)/.test(output))
    return new EspalierError('python_missing', `this Python has no venv module:\n${reason}`);
  const known: [RegExp, string][] = [
    [/No space left|ENOSPC|Disk quota/i, 'the disk is full'],
    [
      /NewConnectionError|Temporary failure in name|Name or service not known|nodename nor servname|Network is unreachable|dns error|Connection refused/i,
      'the package index cannot be reached',
    ],
    [
      /CERTIFICATE_VERIFY_FAILED|certificate verify/i,
      'the package index shows a certificate that is not trusted',
    ],
    [
      /No matching distribution|Could not find a version|No solution found/i,
      'the package index has no package for this machine or this Python',
    ],
  ];
  const what =
    known.find(([pattern]) => pattern.test(output))?.[1] ??
    (timedOut ? 'it took too long' : 'a step of it failed');
  return new EspalierError('engine_install_failed', `MLX Distributed was not installed: ${what}.\n${reason}`);
}

function checkSpace(folder: string): void {
  const { bavail, bsize } = statfsSync(folder);
  if (bavail * bsize >= NEEDED_BYTES) return;
  const free = (bavail * bsize) / 1e9;
  const message = `the disk of ${folder} has ${free.toFixed(1)} GB free, and ${NEEDED_BYTES / 1e9} GB are needed`;
  throw new EspalierError('engine_install_failed', message);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    return asEspalierError(error);
  }
}
