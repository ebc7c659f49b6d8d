// `espalier plan`: the plan of a running cluster with its reasons, or of hardware that nobody has bought yet.
import { Command, Option } from 'commander';
import { EspalierError } from '../../protocol/errors.ts';
import { DEFAULT_PLANNING, DraftPlace, type Goal } from '../../protocol/plan.ts';
import { DRAFT_YIELD } from '../../protocol/speculation.ts';
import { EXIT, EXIT_CODES } from './exit-codes.ts';
import {
  controllerOption,
  goalOption,
  parseLayerCounts,
  parseNames,
  parseShare,
  parseStreamCount,
  parseTokenCount,
} from './options.ts';

const DEFAULT_MODEL = 'deepseek-r1-4bit';

interface Options {
  controller: string;
  hardware?: string[];
  model?: string;
  goal?: Goal;
  context?: number;
  streams?: number;
  yield?: number;
  draft?: string;
  draftPlace?: DraftPlace;
  order?: string[];
  layers?: number[];
  exclude?: string[];
  json?: boolean;
}

/** What only a plan on paper can be asked. */
const PAPER_OPTIONS = [
  'model',
  'goal',
  'context',
  'streams',
  'yield',
  'draft',
  'draftPlace',
  'order',
  'layers',
  'exclude',
] as const;

export function planCommand(exit: (code: number) => void): Command {
  return new Command('plan')
    .summary('show how a model is split over the nodes, and why')
    .description(
      'Shows which nodes hold which layers, what the plan is predicted to do, what limits it and what would make it ' +
        'better: of a running cluster, or with --hardware of one that exists on paper only.',
    )
    .addOption(controllerOption())
    .option(
      '-w, --hardware <text>',
      'Macs and their links in words, without any node or network; several are compared',
      (text: string, before: string[] = []) => [...before, text],
    )
    .option('-m, --model <name>', `a built-in model or a model folder (default: "${DEFAULT_MODEL}")`)
    .addOption(goalOption())
    .option(
      '--context <tokens>',
      `room for conversations of so many tokens (default: ${DEFAULT_PLANNING.contextTokens})`,
      parseTokenCount,
    )
    .option(
      '--streams <count>',
      `conversations at once (default: ${DEFAULT_PLANNING.streams})`,
      parseStreamCount,
    )
    .option(
      '--yield <share>',
      `share of tokens guessed ahead that is taken to be right, for --goal latency (default: 0, nothing is guessed; with --draft ${DRAFT_YIELD})`,
      parseShare,
    )
    .option(
      '--draft <model>',
      'a small model with the same tokenizer that guesses: a built-in one or a folder',
    )
    .addOption(
      new Option(
        '--draft-place <where>',
        'beside the first stage, or apart on another node (default: where one stream is faster)',
      ).choices(DraftPlace.options),
    )
    .option('--order <names>', 'use exactly these nodes, first stage first', parseNames)
    .option('--layers <counts>', 'layers of each stage, like 20,21,20', parseLayerCounts)
    .option('--exclude <names>', 'leave these nodes out', parseNames)
    .option('--json', 'print one JSON value with everything')
    .addHelpText(
      'after',
      `
Examples:
  espalier plan
  espalier plan --hardware "6x Mac Studio M2 Ultra 192GB, thunderbolt ring"
  espalier plan --hardware "2x M3 Ultra 512GB, thunderbolt" --hardware "9x M4 Pro mini 64GB, 10GbE" --streams 4
  espalier plan --hardware "M4 Max 128GB + M4 Pro mini 64GB, wifi" --model deepseek-r1-distill-llama-70b-8bit --goal latency
  espalier plan --json | jq '.stages[] | {node, range, memory}'

Every speed is predicted. Macs of --hardware are named like m2-ultra-1 (for --order and --exclude).
${EXIT_CODES}`,
    )
    .action(async (options: Options) => {
      exit(options.hardware ? await planOnPaper(options, options.hardware) : await planInForce(options));
    });
}

async function planInForce(options: Options): Promise<number> {
  const paper = PAPER_OPTIONS.find((name) => options[name] !== undefined);
  if (paper !== undefined) {
    throw new EspalierError(
      'bad_option',
      `--${paper === 'draftPlace' ? 'draft-place' : paper} asks for another plan than the one in force: add --hardware "…" to plan on paper, or start \`espalier controller\` with it`,
    );
  }
  const [{ parseControllerUrl }, { fetchPlan }, { planText }] = await Promise.all([
    import('../../dashboard/client.ts'),
    import('./plan/fetch-plan.ts'),
    import('./plan/plan-text.ts'),
  ]);
  const report = await fetchPlan(parseControllerUrl(options.controller));
  console.log(options.json ? JSON.stringify(report, null, 2) : planText(report, terminalWidth()));
  return EXIT.ok;
}

async function planOnPaper(options: Options, hardware: readonly string[]): Promise<number> {
  const [{ draftOf }, { paperPlan }, { modelCard }, { planText }, { comparisonText }] = await Promise.all([
    import('../../controller/draft-model.ts'),
    import('./plan/paper-plan.ts'),
    import('./plan/model-card.ts'),
    import('./plan/plan-text.ts'),
    import('./plan/comparison-text.ts'),
  ]);
  const contextTokens = options.context ?? DEFAULT_PLANNING.contextTokens;
  const draft = options.draft === undefined ? undefined : await modelCard(options.draft);
  const wishes = {
    card: {
      ...(await modelCard(options.model ?? DEFAULT_MODEL)),
      ...(draft && { draft: draftOf(draft, contextTokens) }),
    },
    goal: options.goal ?? DEFAULT_PLANNING.goal,
    contextTokens,
    streams: options.streams ?? DEFAULT_PLANNING.streams,
    guessYield: options.yield ?? (draft ? DRAFT_YIELD : 0),
    draftPlace: options.draftPlace,
    pins: { nodes: options.order, layers: options.layers, exclude: options.exclude },
  };
  const [only, ...others] = hardware;
  if (only !== undefined && others.length === 0) {
    const report = paperPlan(only, wishes);
    console.log(options.json ? JSON.stringify(report, null, 2) : planText(report, terminalWidth()));
    return EXIT.ok;
  }
  const compared = hardware.map((text) => {
    try {
      return { hardware: text, report: paperPlan(text, wishes), refused: null };
    } catch (error) {
      // a text that is not understood ends the comparison; hardware that is too small is part of it
      if (!(error instanceof EspalierError) || error.code !== 'not_enough_nodes') throw error;
      return { hardware: text, report: null, refused: error.message };
    }
  });
  console.log(options.json ? JSON.stringify(compared, null, 2) : comparisonText(compared, terminalWidth()));
  return compared.some(({ report }) => report !== null) ? EXIT.ok : EXIT.error;
}

/** Without a terminal, wide enough for the table of most plans. */
function terminalWidth(): number {
  if (process.stdout.columns > 0) return process.stdout.columns;
  const columns = Number(process.env.COLUMNS);
  return columns > 0 ? columns : 130;
}
