// `espalier service`: keeps the agent and the controller running. How that is done is scripts/service's business.
import { Argument, Command, Option } from 'commander';
import type { ServiceHow, ServiceName } from '../service/service-spec.ts';
import type { ServiceTools } from '../service/services.ts';
import { EXIT, EXIT_CODES } from './exit-codes.ts';
import { parseLineCount } from './options.ts';

const NAMES = ['agent', 'controller'] as const;

export function serviceCommand(exit: (code: number) => void): Command {
  const command = new Command('service')
    .summary('keep the agent and the controller running')
    .description(
      'Runs the agent or the controller of this ESPALIER_HOME as a service: a LaunchDaemon on a Mac, a systemd unit on ' +
        'Linux, or a process in the background. What it changes of the system is shown first, and can be taken back.',
    )
    .addHelpText(
      'after',
      `
Examples:
  espalier service install agent -- --name studio-2
  espalier service install controller -- --model ~/models/DeepSeek-R1-4bit --nodes 6
  espalier service status
  espalier service logs agent
  espalier service uninstall agent
${EXIT_CODES}`,
    );
  for (const create of [installCommand, statusCommand, logsCommand, uninstallCommand]) {
    command.addCommand(create(exit));
  }
  return command;
}

function installCommand(exit: (code: number) => void): Command {
  return new Command('install')
    .summary('install a service, or upgrade it')
    .description(
      'Keeps `espalier agent` or `espalier controller` running with the options after `--`; without any, with those of ' +
        'the last time. Installing again upgrades it: to this version of Espalier, and to other options.',
    )
    .addArgument(new Argument('<name>', 'what to keep running').choices(NAMES))
    .argument('[options...]', 'after `--`: options of `espalier agent` or `espalier controller`')
    .addOption(
      new Option('--how <how>', "what keeps it running (default: the system's own way)").choices([
        'launchd',
        'systemd',
        'background',
      ]),
    )
    .option('-y, --yes', 'change the system without asking')
    .addHelpText(
      'after',
      `
Examples:
  espalier service install agent
  espalier service install agent -- --name studio-2 --memory-limit 180GB
  espalier service install controller --how background -- --nodes 3

background: until this machine restarts, and nobody starts it again when it ends.
${EXIT_CODES}`,
    )
    .action(async (name: ServiceName, args: string[], options: { how?: ServiceHow; yes?: boolean }) => {
      const [{ argsFor, installService, serviceChange, systemHow }, { serviceSpec }, changes] =
        await Promise.all([
          import('../service/services.ts'),
          import('../service/service-spec.ts'),
          import('../system-changes/change-system.ts'),
        ]);
      const { askChange } = await import('../system-changes/ask-change.ts');
      const tools = await serviceTools();
      const how = options.how ?? systemHow() ?? 'background';
      const spec = serviceSpec(name, argsFor(name, args, tools.home), tools.home);
      const change = await serviceChange(spec, how, tools);
      if (change) {
        const { description } = change;
        const commands = changes.commandsOf(change, tools.canAsk);
        if (!(await askChange({ description, commands, yes: options.yes ?? false }))) {
          console.log('Nothing was changed.');
          return exit(EXIT.ok);
        }
      }
      await installService(spec, how, change, tools);
      console.log(`espalier ${name} runs${how === 'background' ? ' in the background' : ` by ${how}`}.`);
      exit(EXIT.ok);
    });
}

function statusCommand(exit: (code: number) => void): Command {
  return new Command('status')
    .summary('show which services run')
    .description('Shows how the agent and the controller of this ESPALIER_HOME are kept running.')
    .option('--json', 'print one JSON array')
    .addHelpText(
      'after',
      `
Examples:
  espalier service status
  espalier service status --json | jq '.[] | select(.pid == null).name'
${EXIT_CODES}`,
    )
    .action(async (options: { json?: boolean }) => {
      const [{ serviceStates }, { serviceReport }] = await Promise.all([
        import('../service/service-states.ts'),
        import('../service/service-report.ts'),
      ]);
      const states = await serviceStates(await serviceTools());
      console.log(options.json ? JSON.stringify(states, null, 2) : serviceReport(states));
      exit(EXIT.ok);
    });
}

function logsCommand(exit: (code: number) => void): Command {
  return new Command('logs')
    .summary('show what a service said')
    .description('Prints the last lines of the log of the agent or the controller.')
    .addArgument(new Argument('[name]', 'whose log').choices(NAMES).default('agent'))
    .option('--lines <count>', 'so many lines', parseLineCount, 40)
    .option('-f, --follow', 'go on with what comes')
    .addHelpText(
      'after',
      `
Examples:
  espalier service logs
  espalier service logs controller --lines 200
  espalier service logs agent --follow
${EXIT_CODES}`,
    )
    .action(async (name: ServiceName, options: { lines: number; follow?: boolean }) => {
      const { showLog } = await import('../service/show-log.ts');
      const { home } = await serviceTools();
      exit(await showLog(home, name, { lines: options.lines, follow: options.follow ?? false }));
    });
}

function uninstallCommand(exit: (code: number) => void): Command {
  return new Command('uninstall')
    .summary('end a service and take it away')
    .description(
      'Ends the agent or the controller and brings back what its installation changed of the system. Its keys, its ' +
        'pairing and its logs stay.',
    )
    .addArgument(new Argument('<name>', 'which one').choices(NAMES))
    .option('-y, --yes', 'change the system without asking')
    .addHelpText(
      'after',
      `
Examples:
  espalier service uninstall controller
${EXIT_CODES}`,
    )
    .action(async (name: ServiceName, options: { yes?: boolean }) => {
      const [{ uninstallService }, { undoCommandsOf }, { askChange }] = await Promise.all([
        import('../service/services.ts'),
        import('../system-changes/change-system.ts'),
        import('../system-changes/ask-change.ts'),
      ]);
      const tools = await serviceTools();
      const record = tools.journal.read().find(({ id }) => id === `service-${name}`);
      if (record) {
        const question = {
          description: `Undo: ${record.description}`,
          commands: undoCommandsOf(record, tools.canAsk),
          yes: options.yes ?? false,
        };
        if (!(await askChange(question))) {
          console.log('Nothing was changed.');
          return exit(EXIT.ok);
        }
      }
      const was = await uninstallService(name, tools);
      console.log(was ? `espalier ${name} is no service any more.` : `espalier ${name} was no service here.`);
      exit(EXIT.ok);
    });
}

async function serviceTools(): Promise<ServiceTools> {
  const [{ espalierHome }, { ChangeJournal }, { runArgv }] = await Promise.all([
    import('../../protocol/home.ts'),
    import('../system-changes/journal.ts'),
    import('../system-changes/run-argv.ts'),
  ]);
  const home = espalierHome();
  const canAsk = process.stdin.isTTY === true;
  return { home, journal: new ChangeJournal(home), run: runArgv, canAsk, platform: process.platform };
}
