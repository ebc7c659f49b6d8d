// `espalier agent`: one per Mac. The options become its settings; the agent itself is in agent/.
import { Command, InvalidArgumentError } from 'commander';
import { EXIT_CODES } from './exit-codes.ts';
import { espalierHome } from './home.ts';
import { clusterOption, parseMemorySize, parsePort } from './options.ts';

interface Options {
  name?: string;
  host: string;
  port: number;
  interface?: string;
  memoryLimit?: number;
  cluster: string;
}

export function agentCommand(exit: (code: number) => void): Command {
  return new Command('agent')
    .summary('let this machine take part in a cluster')
    .description(
      'Advertises this machine on the network, waits for a controller and runs a stage of its model.',
    )
    .option('-N, --name <name>', "the name that the dashboard shows (default: this machine's)", parseName)
    .option('-H, --host <address>', 'address that controllers connect to', '127.0.0.1')
    .option('-p, --port <port>', 'port that controllers connect to', parsePort, 7118)
    .option('-i, --interface <ip>', 'address of the network interface to advertise on with Bonjour')
    .option(
      '-m, --memory-limit <size>',
      'the most that weights and KV may take here, like 64GB',
      parseMemorySize,
    )
    .addOption(clusterOption())
    .addHelpText(
      'after',
      `
Examples:
  espalier agent
  espalier agent --host 0.0.0.0
  espalier agent --name studio-2 --host 192.168.1.22 --interface 192.168.1.22
${EXIT_CODES}`,
    )
    .action(async (options: Options) => {
      const [{ runSupervised }, { startAgent }] = await Promise.all([
        import('../supervised.ts'),
        import('../../agent/main.ts'),
      ]);
      exit(
        await runSupervised(() =>
          startAgent({
            name: options.name,
            host: options.host,
            port: options.port,
            bonjourInterface: options.interface,
            memoryLimitBytes: options.memoryLimit,
            cluster: options.cluster,
            home: espalierHome(),
          }),
        ),
      );
    });
}

function parseName(text: string): string {
  const name = text.trim();
  if (name.length < 1 || name.length > 63) throw new InvalidArgumentError('It takes 1 to 63 characters.');
  return name;
}
