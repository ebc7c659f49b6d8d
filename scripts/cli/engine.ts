// `espalier engine`: what nodes have of the engine that does not come with the package, and its installation on this one.
import { Argument, Command } from 'commander';
import { enginesDir } from '../../protocol/home.ts';
import { EXIT, EXIT_CODES } from './exit-codes.ts';
import { controllerOption } from './options.ts';

const ENGINE = 'mlx-distributed';

interface ListOptions {
  controller: string;
  json?: boolean;
}

export function engineCommand(exit: (code: number) => void): Command {
  return new Command('engine')
    .summary('install MLX Distributed, or show which nodes have it')
    .description(
      'The engine node-mlx comes with Espalier. MLX Distributed is Python, and is installed when it is wanted: on this ' +
        'machine by `install`, or on every node by a controller that is started with --engine mlx-distributed.',
    )
    .addCommand(installCommand(exit))
    .addCommand(listCommand(exit))
    .addHelpText(
      'after',
      `\nExamples:\n  espalier engine install ${ENGINE}\n  espalier engine list\n${EXIT_CODES}`,
    );
}

function installCommand(exit: (code: number) => void): Command {
  return new Command('install')
    .summary('install an engine on this machine')
    .description(
      'Makes a Python environment with mlx and mlx-lm below ESPALIER_HOME (about 350 MB), and tries it. It can ' +
        'be interrupted and run again at any time.',
    )
    .addArgument(new Argument('<engine>', 'the engine').choices([ENGINE]))
    .option('--json', 'print one JSON object at the end, and nothing else')
    .addHelpText('after', `\nExamples:\n  espalier engine install ${ENGINE}\n${EXIT_CODES}`)
    .action(async (_engine: string, { json }: { json?: boolean }) => {
      const { installEnvironment } = await import('../../agent/mlx-distributed/environment.ts');
      const { versionsText } = await import('./engine/engine-report.ts');
      const say = (line: string) => process.stderr.write(`espalier: ${line}\n`);
      const { versions } = await installEnvironment(enginesDir(), json ? () => undefined : say);
      console.log(
        json ? JSON.stringify({ engine: ENGINE, versions }) : `${ENGINE} is ready: ${versionsText(versions)}`,
      );
      exit(EXIT.ok);
    });
}

function listCommand(exit: (code: number) => void): Command {
  return new Command('list')
    .summary('show which nodes have it')
    .description(
      'Shows what each node of the cluster has, or this machine alone where no controller answers.',
    )
    .addOption(controllerOption())
    .option('--json', 'print one JSON object with everything')
    .addHelpText('after', `\nExamples:\n  espalier engine list\n  espalier engine list --json\n${EXIT_CODES}`)
    .action(async (options: ListOptions) => {
      const { engineList, engineListText } = await import('./engine/engine-report.ts');
      const list = await engineList(options.controller, enginesDir());
      console.log(options.json ? JSON.stringify(list, null, 2) : engineListText(list));
      exit(EXIT.ok);
    });
}
