// `espalier controller`: one per cluster. The options become its settings; the controller itself is in controller/.
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import type { SamplingPins } from '../../controller/chat-admission.ts';
import { espalierHome } from '../../protocol/home.ts';
import { RepoName } from '../../protocol/models.ts';
import { type HostPort, parseHostPort } from '../../protocol/node.ts';
import { DEFAULT_PLANNING, DraftPlace, type EngineChoice, type Goal } from '../../protocol/plan.ts';
import type { Split } from '../../protocol/ranks.ts';
import { DEFAULT_SPECULATION, SpeculationMode } from '../../protocol/speculation.ts';
import { EXIT_CODES } from './exit-codes.ts';
import {
  clusterOption,
  engineOption,
  goalOption,
  parseLayerCounts,
  parseNames,
  parseNodeCount,
  parsePin,
  parsePort,
  parseStreamCount,
  parseTokenCount,
  splitOption,
} from './options.ts';
import { demoModelDir } from './package-root.ts';

interface Options {
  host: string;
  port: number;
  model?: string;
  autoLoad?: boolean;
  nodes?: number;
  agent?: HostPort[];
  interface?: string;
  cluster: string;
  goal: Goal;
  engine: EngineChoice;
  split?: Split;
  context: number;
  streams: number;
  layers?: number[];
  exclude?: string[];
  speculation: SpeculationMode;
  draft?: string;
  draftPlace: 'auto' | DraftPlace;
  allowOrigin?: string[];
  pin?: SamplingPins;
}

export function controllerCommand(exit: (code: number) => void): Command {
  return new Command('controller')
    .summary('run the controller of a cluster')
    .description('Finds the agents on the network, splits the model over them and serves the API.')
    .option(
      '-H, --host <address>',
      'address that the API listens on; another than this machine needs a key',
      '127.0.0.1',
    )
    .option('-p, --port <port>', 'port of the API', parsePort, 7117)
    .addOption(
      new Option(
        '-m, --model <model>',
        'a model folder in MLX format, on every node at the same path, or a model of the store by its name',
      ).default(undefined, 'what was deployed last, and at first the demo model that comes with Espalier'),
    )
    .option(
      '-n, --nodes <count>',
      'nodes to wait for, and the most to use (default: all found)',
      parseNodeCount,
    )
    .option(
      '-a, --agent <host:port>',
      'an agent to connect to without multicast; may be given several times',
      collectAddress,
    )
    .option('-i, --interface <ip>', 'address of the network interface to search with Bonjour')
    .addOption(clusterOption())
    .addOption(engineOption().default('auto'))
    .addOption(splitOption())
    .addOption(goalOption().default(DEFAULT_PLANNING.goal))
    .option(
      '--context <tokens>',
      'plan room for conversations of so many tokens',
      parseTokenCount,
      DEFAULT_PLANNING.contextTokens,
    )
    .option(
      '--streams <count>',
      'conversations at once to plan room for',
      parseStreamCount,
      DEFAULT_PLANNING.streams,
    )
    .option('--layers <counts>', 'layers of each stage, like 20,21,20', parseLayerCounts)
    .option('--exclude <names>', 'nodes that are never used', parseNames)
    .addOption(
      new Option('--speculation <how>', 'what guesses tokens ahead for idle stages; texts stay the same')
        .choices(SpeculationMode.options)
        .default(DEFAULT_SPECULATION),
    )
    .option(
      '--draft <model>',
      'the folder of a small model with the same tokenizer that guesses, at the same path on every node (default: the folder draft of the model)',
      (dir: string) => resolve(dir),
    )
    .addOption(
      new Option('--draft-place <where>', 'beside the first stage, or apart on another node')
        .choices(['auto', ...DraftPlace.options])
        .default('auto'),
    )
    .option(
      '--allow-origin <origin>',
      'a web page that may ask the API, like http://localhost:3000; may be given several times',
      collectOrigin,
    )
    .option(
      '--pin <field=number>',
      'sampling that holds whatever clients ask for, like temperature=0.6; may be given several times',
      collectPin,
    )
    .option(
      '--auto-load',
      'deploy a stored model when a client asks for it (default where the API is for this machine alone)',
    )
    .option('--no-auto-load', 'leave that to `espalier models use`')
    .addHelpText(
      'after',
      `
Examples:
  espalier controller
  espalier controller --model ~/models/DeepSeek-R1-4bit --nodes 6
  espalier controller --agent studio-1.local:7118 --agent studio-2.local:7118 --nodes 2
${EXIT_CODES}`,
    )
    .action(async (options: Options) => {
      const [{ runSupervised }, { startController }] = await Promise.all([
        import('../supervised.ts'),
        import('../../controller/main.ts'),
      ]);
      exit(
        await runSupervised(() =>
          startController({
            host: options.host,
            port: options.port,
            ...modelChoice(options.model),
            autoLoads: options.autoLoad,
            nodeCount: options.nodes,
            agents: options.agent ?? [],
            bonjourInterface: options.interface,
            cluster: options.cluster,
            home: espalierHome(),
            allowOrigins: options.allowOrigin,
            pins: options.pin,
            speculation: options.speculation,
            draftDir: options.draft,
            planning: {
              goal: options.goal,
              contextTokens: options.context,
              streams: options.streams,
              engine: { choice: options.engine, split: options.split },
              ...(options.draftPlace !== 'auto' && { draftPlace: options.draftPlace }),
              layers: options.layers,
              exclude: options.exclude,
            },
          }),
        ),
      );
    });
}

/** A folder where there is one, or where it cannot be a model's name; without any, what was deployed last. */
function modelChoice(text: string | undefined) {
  if (text === undefined) return { modelDir: demoModelDir(), resumesModel: true };
  const isName = RepoName.safeParse(text).success && !existsSync(text);
  return isName ? { modelDir: demoModelDir(), storedModel: text } : { modelDir: resolve(text) };
}

/** An origin as browsers write it: nothing after the port, and no star. */
function collectOrigin(text: string, previous: readonly string[] = []): string[] {
  const url = URL.parse(text);
  if (!url || !/^https?:$/.test(url.protocol) || url.origin !== text.replace(/\/$/, '').toLowerCase())
    throw new InvalidArgumentError('It takes an origin, like http://localhost:3000.');
  return [...previous, url.origin];
}

function collectAddress(text: string, previous: readonly HostPort[] = []): HostPort[] {
  try {
    return [...previous, parseHostPort(text)];
  } catch (error) {
    throw new InvalidArgumentError(error instanceof Error ? `${error.message}.` : String(error));
  }
}

function collectPin(text: string, previous: SamplingPins = {}): SamplingPins {
  return { ...previous, ...parsePin(text) };
}
