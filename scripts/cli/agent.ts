// `espalier agent`: one per Mac. The options become its settings; the agent itself is in agent/.
import { Command, InvalidArgumentError } from 'commander';
import { EspalierError } from '../../protocol/errors.ts';
import { enginesDir, espalierHome } from '../../protocol/home.ts';
import { EXIT, EXIT_CODES } from './exit-codes.ts';
import { clusterOption, parseMemorySize, parsePort } from './options.ts';

interface Options {
  name?: string;
  host: string;
  port: number;
  interface?: string;
  memoryLimit?: number;
  cluster: string;
  join?: string;
  forget?: boolean;
  showCode?: boolean;
}

export function agentCommand(exit: (code: number) => void): Command {
  return new Command('agent')
    .summary('let this machine take part in a cluster')
    .description(
      'Advertises this machine on the network and runs a stage of the model of its controller. An agent that has no ' +
        'controller yet shows a code: type it there with `espalier pair`.',
    )
    .option('-N, --name <name>', "the name that the dashboard shows (default: this machine's)", parseName)
    .option(
      '-H, --host <address>',
      'address that it listens on: only its own controller is let in',
      '0.0.0.0',
    )
    .option('-p, --port <port>', 'port that controllers connect to', parsePort, 7118)
    .option('-i, --interface <ip>', 'address of the network interface to advertise on with Bonjour')
    .option('--memory-limit <size>', 'the most that weights and KV may take here, like 64GB', parseMemorySize)
    .addOption(clusterOption())
    .option('--show-code', 'print the code of the agent that runs with this ESPALIER_HOME, and end')
    .option(
      '--join <->',
      'read a join token from standard input (or set ESPALIER_JOIN_TOKEN): it needs no code',
    )
    .option('--forget', 'forget the controller that it is paired with')
    .addHelpText(
      'after',
      `
Examples:
  espalier agent
  espalier agent --name studio-2
  espalier agent --show-code
  ssh studio-3 espalier agent --join - < token
${EXIT_CODES}`,
    )
    .action(async (options: Options) => {
      if (options.showCode) return exit(await showCode());
      const [{ runSupervised }, { startAgent }, { readJoinToken }] = await Promise.all([
        import('../supervised.ts'),
        import('../../agent/main.ts'),
        import('./join-token.ts'),
      ]);
      const token = await readJoinToken(options.join);
      return exit(
        await runSupervised(() =>
          startAgent({
            name: options.name,
            host: options.host,
            port: options.port,
            bonjourInterface: options.interface,
            memoryLimitBytes: options.memoryLimit,
            cluster: options.cluster,
            home: espalierHome(),
            token,
            forget: options.forget,
            enginesDir: enginesDir(),
          }),
        ),
      );
    });
}

async function showCode(): Promise<number> {
  const { shownCode } = await import('../../agent/trust/code.ts');
  const code = shownCode(espalierHome());
  if (code === undefined) {
    throw new EspalierError(
      'not_paired',
      `no agent shows a code: none runs with ESPALIER_HOME ${espalierHome()}, or it is paired, or it was given a join token`,
    );
  }
  console.log(code);
  return EXIT.ok;
}

function parseName(text: string): string {
  const name = text.trim();
  if (name.length < 1 || name.length > 63) throw new InvalidArgumentError('It takes 1 to 63 characters.');
  return name;
}
