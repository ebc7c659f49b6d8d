// What the set-up's steps are told of the machine, for tests: this machine, another checkout, and no output.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Context } from '../../../scripts/setup/steps.mjs';

export function contextFor(root: string): Context {
  return {
    root,
    setupDir: join(root, '.setup'),
    platform: process.platform,
    arch: process.arch,
    execPath: process.execPath,
    nodeVersion: process.version,
    nodeRange: '>=22.18',
    isRoot: false,
    env: process.env,
    node: () => process.execPath,
    childEnv: () => process.env,
    run: async (file, args, options = {}) => {
      const child = spawn(file, args, {
        stdio: ['ignore', 'pipe', 'pipe'],
        ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
        ...(options.env === undefined ? {} : { env: options.env }),
      });
      let output = '';
      for (const stream of [child.stdout, child.stderr]) {
        stream.setEncoding('utf8').on('data', (chunk: string) => {
          output += chunk;
        });
      }
      const [code] = await once(child, 'close');
      return { exitCode: Number(code ?? 1), output };
    },
    say: () => undefined,
  };
}
