// mlx-lm as the other side of a comparison: a Python process with the same model, which generates when it is asked to and
// waits in between.
import { execa } from 'execa';
import { z } from 'zod';
import { type CoreSet, pinnedCommand } from './cores.ts';
import type { Generation } from './generation.ts';
import { benchSource } from './python-env.ts';

/** Importing mlx-lm takes some seconds, more from a cold disk. */
const START_TIMEOUT_MS = 120_000;
/** The longest, a prefill of 2,048 tokens, takes up to a minute on one core. */
const GENERATE_TIMEOUT_MS = 600_000;

const Ready = z.object({ mlx_lm: z.string(), mlx: z.string() });
const Generated = z.object({ tokens: z.array(z.int()), at_ms: z.array(z.number()) });

export interface MlxLmOptions {
  /** of benchPython() */
  python: string;
  modelDir: string;
  cores: CoreSet;
}

export interface MlxLm extends AsyncDisposable {
  /** `mlx-lm 0.32.2 on mlx 0.32.4` */
  readonly version: string;
  /** Generates `tokens` greedy tokens. */
  generate(promptIds: readonly number[], tokens: number): Promise<Generation>;
}

/** @throws Error with what Python said, when it ends or does not answer in time */
export async function startMlxLm({ python, modelDir, cores }: MlxLmOptions): Promise<MlxLm> {
  const [file, args] = pinnedCommand(cores, python, ['-I', benchSource('mlx-lm-speed.py'), modelDir]);
  const child = execa(file, args, {
    reject: false,
    // one thread, as a stage worker has
    env: { OPENBLAS_NUM_THREADS: '1', OMP_NUM_THREADS: '1' },
  });
  const lines = child.iterable();
  const answer = async <T>(schema: z.ZodType<T>, timeoutMs: number): Promise<T> => {
    const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
    const { value } = await lines.next();
    clearTimeout(timer);
    if (typeof value === 'string') return schema.parse(JSON.parse(value));
    const { signal, exitCode, stderr } = await child;
    const how = signal
      ? `was ended by ${signal} (after ${timeoutMs / 1000} s it is)`
      : `exited with ${exitCode}`;
    throw new Error(`the process of mlx-lm ${how}: ${stderr}`);
  };
  const ready = await answer(Ready, START_TIMEOUT_MS);
  return {
    version: `mlx-lm ${ready.mlx_lm} on mlx ${ready.mlx}`,
    async generate(promptIds, tokens) {
      child.stdin.write(`${JSON.stringify({ prompt_ids: promptIds, tokens })}\n`);
      const generated = await answer(Generated, GENERATE_TIMEOUT_MS);
      return { tokens: generated.tokens, atMs: generated.at_ms };
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await child;
    },
  };
}
