// `espalier token create`: a join token for a machine without a screen, made in the home of the controller.
import { Command } from 'commander';
import { espalierHome } from '../../protocol/home.ts';
import { JOIN_TOKEN_MS } from '../../protocol/limits.ts';
import { EXIT, EXIT_CODES } from './exit-codes.ts';

export function tokenCommand(exit: (code: number) => void): Command {
  const create = new Command('create')
    .summary('make a join token')
    .description(
      `Prints a token by which one agent joins without a code. It counts once, and for ${JOIN_TOKEN_MS / 3_600_000} hours. ` +
        'Run it as the user and with the ESPALIER_HOME of the controller, which need not run.',
    )
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
Examples:
  espalier token create | ssh studio-3 espalier agent --join -
${EXIT_CODES}`,
    )
    .action(async ({ json = false }: { json?: boolean }) => {
      const [{ JoinTokens }, { loadIdentity }, { formatJoinToken }] = await Promise.all([
        import('../../controller/trust/join-tokens.ts'),
        import('../../protocol/identity.ts'),
        import('../../protocol/join-token.ts'),
      ]);
      const home = espalierHome();
      const { fingerprint } = await loadIdentity(home, 'controller');
      const token = formatJoinToken(new JoinTokens(home, fingerprint).create());
      console.log(json ? JSON.stringify({ token }, null, 2) : token);
      exit(EXIT.ok);
    });
  return new Command('token')
    .summary('make a token by which a node joins without a code')
    .description('For machines without a screen: see `espalier token create --help`.')
    .addHelpText(
      'after',
      `
Examples:
  espalier token create | ssh studio-3 espalier agent --join -
${EXIT_CODES}`,
    )
    .addCommand(create);
}
