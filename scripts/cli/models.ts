// `espalier models`: what is stored, search, pull, verify, remove, and which model is deployed. A client of the controller's
// API: it touches no file itself.
import { Command, InvalidArgumentError } from 'commander';
import { MAX_PULL_REPLICAS } from '../../protocol/limits.ts';
import {
  CANCEL_PULL_PATH,
  CATALOGUE_PATH,
  CatalogueReport,
  DEPLOYMENT_PATH,
  MODELS_PATH,
  ModelsReport,
  PULL_MODEL_PATH,
  PullAnswer,
  REMOVE_MODEL_PATH,
  RemovedAnswer,
  SEARCH_MODELS_PATH,
  SearchReport,
  SwitchAnswer,
  SwitchCost,
  VERIFY_MODEL_PATH,
} from '../../protocol/models.ts';
import { EXIT, EXIT_CODES } from './exit-codes.ts';
import { controllerOption } from './options.ts';

interface Options {
  controller: string;
  json?: boolean;
}

interface PullOptions extends Options {
  revision?: string;
  node?: string;
  replicas?: number;
  limit?: number;
  wait: boolean;
}

type Exit = (code: number) => void;

export function modelsCommand(exit: Exit): Command {
  return new Command('models')
    .summary('find, fetch and deploy models')
    .description(
      "Keeps models on the nodes' disks, in Hugging Face's own cache: each node holds the files of its layers, each byte " +
        'comes over the internet once, and nothing is used before its checksum was right.',
    )
    .addCommand(listCommand(exit), { isDefault: true })
    .addCommand(searchCommand(exit))
    .addCommand(pullCommand(exit))
    .addCommand(deployCommand(exit))
    .addCommand(verifyCommand(exit))
    .addCommand(removeCommand(exit))
    .addHelpText(
      'after',
      `
Examples:
  espalier models list --available
  espalier models search deepseek r1 distill
  espalier models pull mlx-community/DeepSeek-R1-0528-4bit --replicas 2
  espalier models pull /Volumes/models/DeepSeek-R1-4bit --node studio-1
  espalier models use DeepSeek-R1-0528-4bit
  espalier models verify DeepSeek-R1-0528-4bit
${EXIT_CODES}`,
    );
}

function listCommand(exit: Exit): Command {
  return common('list', 'show the stored models and where their files are', ['list', 'list --available'])
    .option('--available', 'list what could be pulled, and what fits this cluster, best first')
    .action(async (options: Options & { available?: boolean }) => {
      const { url, askModels, text } = await tools(options);
      if (options.available) {
        const report = await askModels(url, CATALOGUE_PATH, CatalogueReport);
        print(options, report, () => text.catalogueText(report));
      } else {
        const report = await askModels(url, MODELS_PATH, ModelsReport);
        print(options, report, () => text.modelsText(report));
      }
      exit(EXIT.ok);
    });
}

function searchCommand(exit: Exit): Command {
  return common('search', 'search the hub for models of MLX', ['search deepseek r1 distill'])
    .argument('<words...>', 'words of the name')
    .action(async (words: string[], options: Options) => {
      const { url, askModels, text } = await tools(options);
      const path = `${SEARCH_MODELS_PATH}?${new URLSearchParams({ q: words.join(' ') })}`;
      const report = await askModels(url, path, SearchReport);
      print(options, report, () => text.foundText(report.models));
      exit(EXIT.ok);
    });
}

function pullCommand(exit: Exit): Command {
  return common('pull', 'fetch a model to the nodes; a pull that ended early goes on', [
    'pull mlx-community/DeepSeek-R1-0528-4bit --replicas 2',
    'pull /Volumes/models/DeepSeek-R1-4bit --node studio-1',
    'pull mlx-community/DeepSeek-R1-0528-4bit --cancel',
  ])
    .argument('<model>', 'organisation/name on the hub, or a folder of a node by its absolute path')
    .option('--revision <name>', 'a branch, a tag or a commit (default: main); it is pinned to its commit')
    .option('--node <name>', 'the node that has the folder, or that asks the hub first')
    .option('--replicas <count>', 'nodes that hold each file, at least: then one may die', parseReplicas)
    .option('--limit <rate>', 'of all that comes from the hub together, like 20MB/s', parseRate)
    .option('--no-wait', 'begin it and end')
    .option('--cancel', 'end the pull of this model that runs; what has come stays')
    .action(async (model: string, options: PullOptions & { cancel?: boolean }) => {
      const { url, askModels, pulls } = await tools(options);
      const body = {
        model,
        ...(options.revision !== undefined && { revision: options.revision }),
        ...(options.node !== undefined && { node: options.node }),
        ...(options.replicas !== undefined && { replicas: options.replicas }),
        ...(options.limit !== undefined && { limitBytesPerSecond: options.limit }),
      };
      const path = options.cancel ? CANCEL_PULL_PATH : PULL_MODEL_PATH;
      const { pull } = await askModels(url, path, PullAnswer, options.cancel ? { model } : body);
      if (options.wait && !options.cancel) {
        const { watchPull } = await import('./models/watch-pull.ts');
        await watchPull(url, pull, options.json ?? false);
      } else print(options, pull, () => pulls.pullLine(pull));
      exit(EXIT.ok);
    });
}

function deployCommand(exit: Exit): Command {
  return common('use', 'deploy a stored model in the place of the present one', [
    'use DeepSeek-R1-0528-4bit --dry-run',
    'use DeepSeek-R1-0528-4bit',
  ])
    .argument('<model>', 'as `espalier models list` shows it')
    .option('--dry-run', 'only say what it would cost')
    .option('--no-wait', 'begin it and end')
    .action(async (model: string, options: Options & { dryRun?: boolean; wait: boolean }) => {
      const { url, askModels, text } = await tools(options);
      if (options.dryRun) {
        const path = `${DEPLOYMENT_PATH}?${new URLSearchParams({ model })}`;
        const cost = await askModels(url, path, SwitchCost);
        print(options, cost, () => text.costText(cost));
        return exit(EXIT.ok);
      }
      const answer = await askModels(url, DEPLOYMENT_PATH, SwitchAnswer, { model });
      print(options, answer, () => text.costText(answer.cost));
      if (options.wait && !answer.isDeployed) {
        const { watchSwitch } = await import('./models/watch-switch.ts');
        await watchSwitch(url, answer.cost.model, options.json ?? false);
      }
      return exit(EXIT.ok);
    });
}

function verifyCommand(exit: Exit): Command {
  return common('verify', 'read every file of a model on every node; what is damaged is fetched anew', [
    'verify DeepSeek-R1-0528-4bit',
  ])
    .argument('<model>', 'as `espalier models list` shows it')
    .action(async (model: string, options: Options) => {
      const { url, askModels } = await tools(options);
      const { pull } = await askModels(url, VERIFY_MODEL_PATH, PullAnswer, { model });
      const { watchPull } = await import('./models/watch-pull.ts');
      await watchPull(url, pull, options.json ?? false);
      exit(EXIT.ok);
    });
}

function removeCommand(exit: Exit): Command {
  return common('rm', 'remove a model from all connected nodes, for other tools, too', [
    'rm DeepSeek-R1-0528-4bit',
  ])
    .argument('<model>', 'as `espalier models list` shows it')
    .action(async (model: string, options: Options) => {
      const { url, askModels, pulls } = await tools(options);
      const answer = await askModels(url, REMOVE_MODEL_PATH, RemovedAnswer, { model });
      const where = answer.nodes.length === 0 ? '' : ` on ${answer.nodes.join(', ')}`;
      print(
        options,
        answer,
        () => `${answer.model} is removed: ${pulls.diskBytes(answer.freedBytes)} are free${where}.`,
      );
      exit(EXIT.ok);
    });
}

function common(name: string, summary: string, examples: readonly string[]): Command {
  const shown = examples.map((example) => `  espalier models ${example}\n`).join('');
  return new Command(name)
    .summary(summary)
    .description(`${summary.charAt(0).toUpperCase()}${summary.slice(1)}.`)
    .addOption(controllerOption())
    .option('--json', 'print one JSON object')
    .addHelpText('after', `\nExamples:\n${shown}${EXIT_CODES}`);
}

async function tools({ controller }: Options) {
  const [{ parseControllerUrl }, { askModels }, text, pulls] = await Promise.all([
    import('../../dashboard/client.ts'),
    import('./models/ask-models.ts'),
    import('./models/models-text.ts'),
    import('../../dashboard/pull-text.ts'),
  ]);
  return { url: parseControllerUrl(controller), askModels, text, pulls };
}

function print({ json }: Options, value: unknown, text: () => string): void {
  console.log(json ? JSON.stringify(value, null, 2) : text());
}

function parseReplicas(text: string): number {
  const count = /^\d+$/.test(text) ? Number(text) : 0;
  if (count >= 1 && count <= MAX_PULL_REPLICAS) return count;
  throw new InvalidArgumentError(`It takes a number of nodes from 1 to ${MAX_PULL_REPLICAS}.`);
}

/** `20MB/s` or `500 kB/s`, in decimal units. */
export function parseRate(text: string): number {
  const match = /^([\d.]+)\s*(k|m|g)b(?:\/s)?$/i.exec(text.trim());
  const unit = { k: 1e3, m: 1e6, g: 1e9 }[(match?.[2] ?? '').toLowerCase()] ?? Number.NaN;
  const rate = Math.floor(Number(match?.[1]) * unit);
  if (rate >= 1_000 && Number.isSafeInteger(rate)) return rate;
  throw new InvalidArgumentError('It takes a rate of at least 1kB/s, like 20MB/s.');
}
