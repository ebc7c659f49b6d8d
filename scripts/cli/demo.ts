// `espalier demo`: a whole cluster on this machine. What it starts, and how it ends, is scripts/demo's business.
import { resolve } from 'node:path';
import { Command, Option } from 'commander';
import type { EngineChoice } from '../../protocol/plan.ts';
import type { Split } from '../../protocol/ranks.ts';
import { EXIT_CODES } from './exit-codes.ts';
import { engineOption, parseNodeCount, parsePort, splitOption } from './options.ts';
import { demoModelDir } from './package-root.ts';

interface Options {
  nodes: number;
  port: number;
  dashboard: boolean;
  model: string;
  once?: boolean;
  engine: EngineChoice;
  split?: Split;
}

export function demoCommand(exit: (code: number) => void): Command {
  return new Command('demo')
    .summary('bring up a cluster on this machine')
    .description(
      'Brings up a controller and agents on this machine, splits a model over them, and shows the dashboard. ' +
        'Prints `ready http://127.0.0.1:PORT` once it answers. Off a terminal it asks one sample question instead ' +
        'of showing the dashboard, and goes on serving.',
    )
    .option('-n, --nodes <count>', 'agents to start', parseNodeCount, 3)
    .option('-p, --port <port>', 'port of the local API', parsePort, 7117)
    .option('--no-dashboard', 'ask the sample question instead of showing the dashboard')
    .addOption(
      new Option('-m, --model <dir>', 'a model folder in MLX format')
        .default(demoModelDir(), 'the demo model that comes with Espalier')
        .argParser((dir: string) => resolve(dir)),
    )
    .addOption(engineOption().default('node-mlx'))
    .addOption(splitOption())
    .option('--once', 'ask the sample question, print the measurements and end')
    .addHelpText(
      'after',
      `
Examples:
  espalier demo
  espalier demo --nodes 6 --port 8000
  espalier demo --once
  espalier demo --engine mlx-distributed --split tensor --nodes 2
  espalier demo --model ~/models/DeepSeek-R1-Distill-Qwen-1.5B-4bit
${EXIT_CODES}`,
    )
    .action(async (options: Options) => {
      const { runDemo } = await import('../demo/demo.ts');
      exit(
        await runDemo({
          nodes: options.nodes,
          port: options.port,
          dashboard: options.dashboard,
          modelDir: options.model,
          once: options.once ?? false,
          engine: options.engine,
          split: options.split,
        }),
      );
    });
}
