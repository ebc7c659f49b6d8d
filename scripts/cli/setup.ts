// `espalier setup`: the wizard. The options become its answers; its pages are dashboard/setup, what is done scripts/setup-steps.
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { Argument, Command, Option } from 'commander';
import type { SetupFlags } from '../../dashboard/setup/actions.ts';
import { StepId } from '../../dashboard/setup/order.ts';
import { EspalierError } from '../../protocol/errors.ts';
import { RepoName } from '../../protocol/models.ts';
import { DEFAULT_CLUSTER } from '../../protocol/node.ts';
import { EXIT, EXIT_CODES } from './exit-codes.ts';
import { clusterOption, parseNames, parseNodeCount, parsePort } from './options.ts';
import { endingSignal } from './signals.ts';

interface Options {
  role?: 'controller' | 'node';
  run?: 'service' | 'background';
  name?: string;
  host?: string;
  interface?: string;
  agentPort?: number;
  port?: number;
  cluster: string;
  agent?: string[];
  nodes?: number;
  codes?: string;
  change?: string[];
  model?: string;
  question?: string;
  unattended?: boolean;
  restart?: boolean;
  undo?: boolean;
  yes?: boolean;
}

export function setupCommand(exit: (code: number) => void): Command {
  return new Command('setup')
    .summary('from a box of Macs to a first answer')
    .description(
      'Asks what this machine is to be, finds and pairs the others, looks at their cables, mends settings, fetches and ' +
        'deploys a model, and asks the first question. It can be left at any step with Ctrl-C, and goes on there. Whatever it changes of ' +
        'the system is shown as the exact command first, and --undo takes it back.',
    )
    .addArgument(new Argument('[step]', 'one step alone').choices(StepId.options))
    .addOption(new Option('--role <role>', 'what this machine is to be').choices(['controller', 'node']))
    .addOption(
      new Option('--run <how>', 'how Espalier is kept running here').choices(['service', 'background']),
    )
    .option('-N, --name <name>', "the node's name (default: this machine's)")
    .option('-H, --host <address>', 'address that the agent listens on')
    .option('-i, --interface <ip>', 'address of the network interface for Bonjour')
    .option('--agent-port <port>', 'port of the agent', parsePort)
    .option('-p, --port <port>', 'port of the API', parsePort)
    .addOption(clusterOption())
    .option(
      '-a, --agent <host:port>',
      'an agent that Bonjour does not find; may be given several times',
      (text: string, before: string[] = []) => [...before, text],
    )
    .option('-n, --nodes <count>', 'nodes to wait for, this one counted', parseNodeCount)
    .option('--codes <->', 'read the codes of nodes from standard input, a line `NAME CODE` each')
    .option('--change <ids>', 'make these changes of the system without asking; `all` for each', parseNames)
    .option('-m, --model <model>', 'organisation/name, a name of `espalier models list`, or a folder')
    .option('--question <text>', 'the first question')
    .option('--unattended', 'ask nothing: options and defaults answer')
    .option('--restart', 'begin anew, instead of going on where it was left')
    .option('--undo', 'take back what was changed of the system')
    .option('-y, --yes', 'with --undo: all of it, without asking')
    .addHelpText(
      'after',
      `
Examples:
  espalier setup
  espalier setup cabling
  espalier setup --role node
  espalier setup --unattended --role controller --run service --nodes 3 --codes - \\
    --model mlx-community/DeepSeek-R1-0528-4bit < codes
  espalier setup --undo

The steps: ${StepId.options.join(', ')}.
${EXIT_CODES}`,
    )
    .action(async (step: StepId | undefined, options: Options) => {
      const tools = await setupTools();
      if (options.undo) {
        const { undoChanges } = await import('../setup-steps/undo-changes.ts');
        await undoChanges(tools, options.yes ?? false);
        return exit(EXIT.ok);
      }
      exit(await wizard(step, options, tools));
    });
}

async function wizard(
  step: StepId | undefined,
  options: Options,
  tools: Awaited<ReturnType<typeof setupTools>>,
): Promise<number> {
  const isUnattended = options.unattended ?? false;
  if (!isUnattended && !(process.stdin.isTTY && process.stdout.isTTY)) {
    throw new EspalierError(
      'bad_option',
      'there is no terminal to ask on: run it in one, or add --unattended',
    );
  }
  const [{ runSetup }, { FRESH, STEP_TITLES }, { setupActions }, { OwnProcesses }, files] = await Promise.all(
    [
      import('../../dashboard/setup/main.ts'),
      import('../../dashboard/setup/order.ts'),
      import('../setup-steps/setup-actions.ts'),
      import('../setup-steps/own-processes.ts'),
      import('../setup-steps/setup-file.ts'),
    ],
  );
  const { home } = tools;
  const flags = await readFlags(options);
  const processes = new OwnProcesses(tools, await processArgs(options));
  const actions = setupActions({ tools, processes, name: options.name });
  const saved = options.restart ? FRESH : files.readSetup(home);
  // what is finished begins anew: everything that is as it should be is passed quickly
  const state = saved.at === null ? { ...saved, at: FRESH.at } : saved;
  const { role, run, model, question } = options;
  const presets = { role, run: run === 'service' ? 'system' : run, model: modelOf(model), question };
  const ended = await runSetup({
    actions,
    flags,
    presets,
    state,
    only: step,
    isUnattended,
    signal: endingSignal(),
    save: (next) => files.saveSetup(home, next),
  });
  if (ended === 'left') {
    console.log('Left. `espalier setup` goes on where you were.');
    return EXIT.ok;
  }
  if (step !== undefined) console.log(`${STEP_TITLES[step]}: done.`);
  else await sayEnd(files.readSetup(home).answers.role === 'controller', actions);
  return EXIT.ok;
}

/** Where the cluster is reached, and what to do with it. */
async function sayEnd(
  isController: boolean,
  actions: { endpoint(): Promise<{ url: string; next: readonly { command: string; what: string }[] }> },
): Promise<void> {
  if (!isController) {
    console.log('This machine is a node. `espalier service status` shows what runs here.');
    return;
  }
  const { table } = await import('./table.ts');
  const { url, next } = await actions.endpoint();
  console.log(`Your cluster serves at ${url} (OpenAI's, Anthropic's and Ollama's API).\n`);
  console.log(table(next.map(({ command, what }) => [`  ${command}`, what])));
}

/** A folder where there is one, or where it cannot be a model's name. */
function modelOf(model: string | undefined): string | undefined {
  if (model === undefined || !/[/\\]/.test(model)) return model;
  return RepoName.safeParse(model).success && !existsSync(model) ? model : resolve(model);
}

const MAX_CODES_BYTES = 64 * 1024;
const CODES_TIMEOUT_MS = 10_000;

/** @throws EspalierError bad_option */
async function readFlags({ nodes, codes, change = [] }: Options): Promise<SetupFlags> {
  if (codes !== undefined && codes !== '-') {
    throw new EspalierError(
      'bad_option',
      '--codes takes "-": the codes come on standard input, a line `NAME CODE` each',
    );
  }
  const text = codes === undefined ? '' : await readAll();
  const pairs = text.split('\n').flatMap((line): [string, string][] => {
    const [, name, code] = /^\s*(\S.*?)\s+([\d-]{8,9})\s*$/.exec(line) ?? [];
    if (name !== undefined && code !== undefined) return [[name, code]];
    if (line.trim() === '') return [];
    throw new EspalierError('bad_option', '--codes: a line is no `NAME CODE`, like `studio-2 1234-5678`');
  });
  return { nodes, codes: new Map(pairs), fix: change.includes('all') ? 'all' : change };
}

async function readAll(): Promise<string> {
  let text = '';
  const timer = setTimeout(() => process.stdin.destroy(), CODES_TIMEOUT_MS);
  try {
    for await (const chunk of process.stdin) {
      text += String(chunk);
      if (text.length > MAX_CODES_BYTES) break;
    }
  } catch {
    // destroyed by the deadline: what has come counts
  } finally {
    clearTimeout(timer);
  }
  return text;
}

/** What the two processes are started with: only what was said, so that the rest stays as it was the last time. */
async function processArgs(options: Options) {
  const { JOIN_TOKEN_VARIABLE } = await import('./join-token.ts');
  const { name, host, interface: address, agentPort, port, cluster, agent = [] } = options;
  const given = (flag: string, value: string | number | undefined) =>
    value === undefined ? [] : [flag, String(value)];
  const shared = [
    ...given('--interface', address),
    ...(cluster === DEFAULT_CLUSTER ? [] : ['--cluster', cluster]),
  ];
  const token = process.env[JOIN_TOKEN_VARIABLE];
  delete process.env[JOIN_TOKEN_VARIABLE]; // the controller needs none
  return {
    agent: [...given('--name', name), ...given('--host', host), ...given('--port', agentPort), ...shared],
    controller: [...given('--port', port), ...agent.flatMap((each) => ['--agent', each]), ...shared],
    agentEnvironment: token === undefined ? {} : { [JOIN_TOKEN_VARIABLE]: token },
  };
}

async function setupTools() {
  const [{ espalierHome }, { ChangeJournal }, { runArgv }] = await Promise.all([
    import('../../protocol/home.ts'),
    import('../system-changes/journal.ts'),
    import('../system-changes/run-argv.ts'),
  ]);
  const home = espalierHome();
  const canAsk = process.stdin.isTTY === true;
  return { home, journal: new ChangeJournal(home), run: runArgv, canAsk, platform: process.platform };
}
