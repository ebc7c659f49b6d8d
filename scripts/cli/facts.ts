// `espalier facts`: what this machine is, as an agent on it would tell a controller. It asks no cluster.
import { Command } from 'commander';
import { EXIT, EXIT_CODES } from './exit-codes.ts';

interface Options {
  json?: boolean;
}

export function factsCommand(exit: (code: number) => void): Command {
  return new Command('facts')
    .summary('show what this machine is')
    .description(
      'Shows what an agent on this machine tells its controller: chip, memory, network interfaces, Thunderbolt ports and ' +
        'the Macs behind them, RDMA, power and heat, and what could not be seen. It takes up to 20 seconds on a Mac.',
    )
    .option('--json', 'print the record as JSON')
    .addHelpText(
      'after',
      `
Examples:
  espalier facts
  espalier facts --json | jq '.thunderboltPorts[] | {portName, interface, linkGbps, peers}'
${EXIT_CODES}`,
    )
    .action(async (options: Options) => {
      const [{ gatherFacts }, { factsReport }] = await Promise.all([
        import('../../agent/facts/gather.ts'),
        import('./facts-report.ts'),
      ]);
      const facts = await gatherFacts();
      console.log(options.json ? JSON.stringify(facts, null, 2) : factsReport(facts));
      exit(EXIT.ok);
    });
}
