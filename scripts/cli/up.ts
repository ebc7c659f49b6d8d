// `espalier up`: brings up what this home is, controller or agent or both, as it was told once.
import { Argument, Command } from 'commander';
import { EspalierError } from '../../protocol/errors.ts';
import { espalierHome } from '../../protocol/home.ts';
import { type RememberedRoles, ROLES, readRoles, type UpRole, writeRoles } from '../up/roles.ts';
import { agentCommand } from './agent.ts';
import { controllerCommand } from './controller.ts';
import { EXIT, EXIT_CODES } from './exit-codes.ts';
import { table } from './table.ts';

interface Options {
  show?: boolean;
  drop?: UpRole;
  json?: boolean;
}

export function upCommand(exit: (code: number) => void): Command {
  return new Command('up')
    .summary('bring up what this machine is in the cluster')
    .description(
      'Brings up what ESPALIER_HOME is: a controller, an agent, or both, which pair by themselves. What it is, is told once, ' +
        'as the role with its options, and remembered: after that `espalier up` alone does it. Logs go to ESPALIER_HOME/logs.',
    )
    .addArgument(
      new Argument('[role]', 'what this home is from now on, beside what it is already').choices(ROLES),
    )
    .argument('[options...]', 'the options of `espalier controller` or `espalier agent`')
    .option('--show', 'show what would be brought up, and end')
    .option('--drop <role>', 'this home is that no more; bring nothing up', parseRole)
    .option('--json', 'with --show: print one JSON object')
    .passThroughOptions()
    .addHelpText(
      'after',
      `
Examples:
  espalier up agent
  espalier up controller --model ~/models/DeepSeek-R1-4bit --nodes 6
  espalier up
  espalier up --show
  espalier up --drop agent

Options of \`up\` itself come before the role; those after it are the role's own.
${EXIT_CODES}`,
    )
    .action(async (role: UpRole | undefined, args: string[], { show, drop, json }: Options) => {
      const home = espalierHome();
      const roles = readRoles(home);
      if (drop !== undefined) {
        const { [drop]: _, ...left } = roles;
        writeRoles(home, left);
        console.log(`${home} is no ${drop} any more.`);
        return exit(EXIT.ok);
      }
      if (role !== undefined) {
        assertTaken(role, args);
        roles[role] = args;
      }
      if (show) {
        console.log(json ? JSON.stringify(roles, null, 2) : shown(home, roles));
        return exit(EXIT.ok);
      }
      if (!ROLES.some((one) => roles[one])) {
        throw new EspalierError(
          'bad_option',
          `${home} is nothing yet: say once what it is, with \`espalier up agent\` or \`espalier up controller --model DIR\``,
        );
      }
      if (role !== undefined) writeRoles(home, roles);
      const { runUp } = await import('../up/run-up.ts');
      return exit(await runUp(home, roles));
    });
}

/** Now, rather than each time from now on. @throws CommanderError, as the role's own command does */
function assertTaken(role: UpRole, args: readonly string[]): void {
  const command = (role === 'agent' ? agentCommand : controllerCommand)(() => undefined);
  command
    .exitOverride()
    .showHelpAfterError(`(\`espalier ${role} --help\` says more)`)
    .action(() => undefined)
    .parse([...args], { from: 'user' });
}

function shown(home: string, roles: RememberedRoles): string {
  const rows = ROLES.flatMap((role) => {
    const args = roles[role];
    return args ? [[role, args.join(' ') || '(no options)']] : [];
  });
  return rows.length > 0 ? table(rows) : `${home} is nothing yet.`;
}

function parseRole(text: string): UpRole {
  const role = ROLES.find((one) => one === text);
  if (role === undefined)
    throw new EspalierError('bad_option', `--drop ${text}: it takes ${ROLES.join(' or ')}`);
  return role;
}
