// `npm run bench -- [SUITE…] [--json] [--rounds N]`: runs suites and prints their figures. With --json, standard output
// holds one object and nothing else.
import { availableParallelism, cpus, platform, totalmem } from 'node:os';
import { Command, InvalidArgumentError } from 'commander';
import { BenchError } from './bench-error.ts';
import type { Figure, Machine, Suite } from './figure.ts';

/** Suites by name, loaded when they are run. */
const SUITES: Record<string, () => Promise<Suite>> = {
  api: async () => (await import('./suites/api.ts')).apiSuite,
  cluster: async () => (await import('./suites/cluster.ts')).clusterSuite,
  dashboard: async () => (await import('./suites/dashboard.ts')).dashboardSuite,
  engine: async () => (await import('./suites/engine.ts')).engineSuite,
  engines: async () => (await import('./suites/engines.ts')).enginesSuite,
  faults: async () => (await import('./suites/faults.ts')).faultsSuite,
  long: async () => (await import('./suites/long.ts')).longSuite,
  pipeline: async () => (await import('./suites/pipeline.ts')).pipelineSuite,
  plan: async () => (await import('./suites/plan.ts')).planSuite,
  pull: async () => (await import('./suites/pull.ts')).pullSuite,
  speculation: async () => (await import('./suites/speculation.ts')).speculationSuite,
};

const MAX_ROUNDS = 1_000;

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

function parseRounds(text: string): number {
  const rounds = Number(text);
  if (!(Number.isInteger(rounds) && rounds >= 1 && rounds <= MAX_ROUNDS)) {
    throw new InvalidArgumentError(`It takes a whole number from 1 to ${MAX_ROUNDS}.`);
  }
  return rounds;
}

async function run(names: string[], { json, rounds }: { json?: boolean; rounds?: number }): Promise<void> {
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
    const say = (line: string) => process.stderr.write(`${name}: ${line}\n`);
    const told = await suite({ say, rounds });
    // at once: a later suite may fail, or be stopped
    if (!json) process.stdout.write(`${told.map(row).join('\n')}\n`);
    figures.push(...told);
  }
  if (json) process.stdout.write(`${JSON.stringify({ machine, figures })}\n`);
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
// the set-up's runner is gone: nobody reads on
if (process.connected) process.once('disconnect', () => process.exit(1));
// to listen for that must not keep the bench from ending
process.channel?.unref();

const program = new Command('bench')
  .description('Measures on this machine; every comparison is made within one run.')
  .argument('[suite...]', `which to run: ${Object.keys(SUITES).join(', ')} (default: all)`)
  .option('--json', 'print one JSON object')
  .option('--rounds <n>', 'how often each comparison is made (default: as each suite needs it)', parseRounds)
  .action(run);
try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof BenchError)) throw error;
  process.stderr.write(`bench: ${error.message}\n  → ${error.fix}\n`);
  process.exitCode = 1;
}
