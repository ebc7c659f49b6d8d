// The command line as a whole: which commands there are, and how each way to fail becomes an exit code and a text.
import { Command, CommanderError } from 'commander';
import { asEspalierError, EspalierError, explain } from '../../protocol/errors.ts';
import { agentCommand } from './agent.ts';
import { ApiError } from './api-error.ts';
import { benchCommand } from './bench.ts';
import { chatCommand } from './chat.ts';
import { completionCommand } from './completion.ts';
import { connectCommand } from './connect.ts';
import { controllerCommand } from './controller.ts';
import { dashboardCommand } from './dashboard.ts';
import { demoCommand } from './demo.ts';
import { doctorCommand } from './doctor.ts';
import { engineCommand } from './engine.ts';
import { EXIT } from './exit-codes.ts';
import { factsCommand } from './facts.ts';
import { incidentsCommand } from './incidents.ts';
import { keyCommand } from './key.ts';
import { linksCommand } from './links.ts';
import { modelsCommand } from './models.ts';
import { packageFacts } from './package-root.ts';
import { pairCommand } from './pair.ts';
import { planCommand } from './plan.ts';
import { serviceCommand } from './service.ts';
import { setupCommand } from './setup.ts';
import { statusCommand } from './status.ts';
import { tokenCommand } from './token.ts';
import { traceCommand } from './trace.ts';
import { unpairCommand } from './unpair.ts';
import { upCommand } from './up.ts';

const EXAMPLES = `
Examples:
  espalier demo                          a cluster of three agents on this machine, with its dashboard
  espalier setup                         from a box of Macs to a first answer
  espalier up controller --model ~/models/DeepSeek-R1-4bit --nodes 6
  espalier up agent                      on every Mac that takes part; later \`espalier up\` alone
  espalier pair studio-2                 let it in, with the code that it shows
  espalier chat "How many r's are in strawberry?"
  espalier connect claude-code           what a client needs to use the cluster
  espalier status --json
  espalier plan                          which node holds which layers, and why
  espalier trace                         why it is slow
  espalier models list --available       what this cluster could hold; pull, use, verify, rm
  espalier links                         how fast the links between the nodes are, and what to mend
  espalier incidents                     what went wrong, and what was done about it
  espalier doctor                        what there is to mend, here and on all nodes
  espalier engine list                   which nodes have MLX Distributed
  espalier facts                         what this machine is
  espalier service install agent         keep it running, from the start of this Mac on

State lies under ESPALIER_HOME (default ~/.espalier).
\`espalier help COMMAND\` says more about one command.`;

/** All commands; each action resolves to the exit code, which goes to `exit`. */
export function buildProgram(exit: (code: number) => void): Command {
  const program = new Command('espalier')
    .description('Turns the Macs on a home network into one machine that runs DeepSeek R1.')
    .version(packageFacts().version)
    // so that `up` can pass options on
    .enablePositionalOptions()
    .addHelpText('after', EXAMPLES);
  const commands = [
    demoCommand,
    upCommand,
    setupCommand,
    controllerCommand,
    agentCommand,
    serviceCommand,
    pairCommand,
    unpairCommand,
    dashboardCommand,
    statusCommand,
    planCommand,
    traceCommand,
    linksCommand,
    doctorCommand,
    incidentsCommand,
    modelsCommand,
    engineCommand,
    chatCommand,
    connectCommand,
    factsCommand,
    tokenCommand,
    keyCommand,
    benchCommand,
    completionCommand,
  ];
  for (const create of commands) program.addCommand(create(exit));
  // settings are not handed down by addCommand
  const nested = program.commands.flatMap(({ commands: below }) => below);
  for (const command of [program, ...program.commands, ...nested]) {
    command.exitOverride().showHelpAfterError(`(\`${helpCall(command, program)}\` says more)`);
  }
  return program;
}

/**
 * Runs one command line.
 * @param args without node and the script
 * @returns the exit code, when everything that was printed has left the process
 */
export async function runCommandLine(args: readonly string[]): Promise<number> {
  // a reader that has seen enough (`| head`) is no error
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    process.exit(error.code === 'EPIPE' ? EXIT.ok : EXIT.error);
  });
  let code: number = EXIT.ok;
  try {
    const program = buildProgram((result) => {
      code = result;
    });
    await program.parseAsync([...args], { from: 'user' });
  } catch (error) {
    code = report(error);
  }
  await Promise.all([flushed(process.stdout), flushed(process.stderr)]);
  return code;
}

function report(error: unknown): number {
  // commander has printed its own errors, and the help that was asked for
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  if (error instanceof ApiError) {
    console.error(`espalier: ${error.message}`);
    return EXIT.error;
  }
  const known = asEspalierError(error);
  console.error(`espalier: ${explain(known)}`);
  if (!(error instanceof EspalierError) && error instanceof Error) console.error(error.stack);
  return known.code === 'bad_option' ? EXIT.usage : EXIT.error;
}

function helpCall(command: Command, program: Command): string {
  const { parent } = command;
  const path = parent && parent !== program ? `${parent.name()} ${command.name()}` : command.name();
  return command === program ? 'espalier --help' : `espalier ${path} --help`;
}

async function flushed(stream: NodeJS.WriteStream): Promise<void> {
  if (stream.destroyed) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  stream.write('', () => resolve());
  await promise;
}
