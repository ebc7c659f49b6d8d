// Where the Python of a rank lies: in the sources, which the package carries beside what is compiled.
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** `rank.py` or `requirements.txt` of this folder, as an absolute path. @throws Error when the package is incomplete */
export function rankSource(name: 'rank.py' | 'requirements.txt'): string {
  for (let dir = dirname(fileURLToPath(import.meta.url)); ; dir = dirname(dir)) {
    const file = join(dir, 'agent', 'mlx-distributed', name);
    if (existsSync(file)) return file;
    if (dir === dirname(dir)) throw new Error(`agent/mlx-distributed/${name} lies nowhere above this module`);
  }
}

/** So that neither the user's Python settings nor what lies in the working directory have a say; nothing is compiled to disk. */
export const PYTHON_FLAGS = ['-E', '-s', '-B', '-X', 'utf8'] as const;
