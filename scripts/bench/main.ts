// `npm run bench -- [SUITE…] [--json]`: runs suites and prints their figures. With --json, standard output holds one
// object and nothing else.
import { availableParallelism, cpus, platform, totalmem } from 'node:os';
import { Command } from 'commander';
import type { Figure, Machine, Suite } from './figure.ts';

/** Suites by name, loaded when they are run. */
const SUITES: Record<string, () => Promise<Suite>> = {
  cluster: async () => (await import('./suites/cluster.ts')).clusterSuite,
};

const machine: Machine = {
  platform: platform(),
  processor: cpus()[0]?.model ?? 'unknown',
  cores: availableParallelism(),
  memoryBytes: totalmem(),
  node: process.version,
};

function row({ name, value, unit, aim, holds, compared }: Figure): string {
  const verdict = holds === null ? '' : ` (aim ${aim}: ${holds ? 'reached' : 'NOT reached'})`;
  return `${name}: ${value.toFixed(2)} ${unit}${verdict}\n    ${compared}`;
}

async function run(names: string[], { json }: { json?: boolean }): Promise<void> {
  const wanted = names.length > 0 ? names : Object.keys(SUITES);
  const unknown = wanted.find((name) => !Object.hasOwn(SUITES, name));
  if (unknown !== undefined) {
    process.stderr.write(`There is no suite "${unknown}"; there are: ${Object.keys(SUITES).join(', ')}\n`);
    process.exitCode = 2;
    return;
  }
  const figures: Figure[] = [];
  for (const name of wanted) {
    const suite = await (SUITES[name] as () => Promise<Suite>)();
    figures.push(...(await suite((line) => process.stderr.write(`${name}: ${line}\n`))));
  }
  if (json) process.stdout.write(`${JSON.stringify({ machine, figures })}\n`);
  else process.stdout.write(`${figures.map(row).join('\n')}\n`);
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

await new Command('bench')
  .description('Measures on this machine; every comparison is made within one run.')
  .argument('[suite...]', `which to run: ${Object.keys(SUITES).join(', ')} (default: all)`)
  .option('--json', 'print one JSON object')
  .action(run)
  .parseAsync();
