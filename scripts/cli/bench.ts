// `espalier bench`: measures on this machine. The suites are scripts/bench's business; it runs as a process of its own.
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { execa } from 'execa';
import { EXIT, EXIT_CODES } from './exit-codes.ts';
import { parseRounds } from './options.ts';
import { endingSignal } from './signals.ts';

const PROGRAM = fileURLToPath(new URL('../bench/main.js', import.meta.url));

interface Options {
  rounds?: number;
  json?: boolean;
}

export function benchCommand(exit: (code: number) => void): Command {
  return new Command('bench')
    .summary('measure on this machine')
    .description(
      'Measures what this machine does: the engine, the API, hops, plans, faults and long answers. Every comparison is made ' +
        'within one run. It takes minutes, and both cores; some suites need a checkout, and say so.',
    )
    .argument('[suite...]', 'which to run: api, cluster, engine, faults, long, plan (default: all)')
    .option(
      '--rounds <count>',
      'how often each comparison is made (default: as each suite needs it)',
      parseRounds,
    )
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
Examples:
  espalier bench plan
  espalier bench engine --rounds 3 --json > figures.json
${EXIT_CODES}`,
    )
    .action(async (suites: string[], { rounds, json }: Options) => {
      const options = [
        ...(rounds === undefined ? [] : ['--rounds', String(rounds)]),
        ...(json ? ['--json'] : []),
      ];
      const result = await execa(process.execPath, [PROGRAM, ...suites, ...options], {
        stdio: 'inherit',
        reject: false,
        cancelSignal: endingSignal(),
      });
      exit(result.exitCode ?? EXIT.error);
    });
}
