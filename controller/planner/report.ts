// A plan with its reasons, as data. Pure: the same for the plan in force and for one on paper.
import type { LayerKind, Plan } from '../../protocol/plan.ts';
import type {
  HopReport,
  PlanImprovement,
  PlanReport,
  StageMemory,
  StageReport,
} from '../../protocol/plan-report.ts';
import { modelBytes } from '../models/card-of.ts';
import { CHIPS } from './chips.ts';
import { BANDWIDTH_SHARE, decodeLayerBytes, draftMs, ONE_ROW, TYPICAL_CONTEXT_TOKENS } from './cost.ts';
import type { PlanRequest } from './inputs.ts';
import { planLimits } from './limits.ts';
import { ENGINE_BYTES, kvTokenBytes, rangeBytes } from './memory.ts';
import { type Placed, predictGuessed } from './predict.ts';
import { placeOnEngine, planHops, planStageMs, predictPlan, predictPlanPrefill } from './predict-plan.ts';
import { count, gib, listed } from './words.ts';

/** The prompt whose prefill is predicted: long enough for several chunks to be on their way at once. */
const PROMPT_TOKENS = 4_096;
/** Shares of right guesses for which one stream is predicted before any are measured: n-grams, a middling draft, a good one. */
const ASSUMED_YIELDS = [0.25, 0.5, 0.75];
/** Cables between equal nodes gain the same: the first few say enough. */
const MAX_IMPROVEMENTS = 4;

export interface ReportOptions {
  /** the deployment that it is the plan of */
  epoch?: number | undefined;
  isExact?: boolean | undefined;
  /** see PlanAdvice */
  behindBestShare?: number | undefined;
  /** as planImprovements tells them */
  improvements?: Iterable<PlanImprovement | undefined>;
  /** the share of guesses that was right so far; undefined before anything was guessed */
  measuredYield?: number | undefined;
}

/** @param request what the plan was made from: the nodes of its stages must be among the request's */
export function planReport(request: PlanRequest, plan: Plan, options: ReportOptions = {}): PlanReport {
  const { card, nodes } = request;
  const placed = placeOnEngine(card, plan, nodes);
  const used = new Set(plan.stages.map(({ nodeId }) => nodeId));
  if (plan.draft) used.add(plan.draft.nodeId);
  const { streams, contextTokens, kvTokens } = plan;
  const isGuessed = plan.engine === 'node-mlx' && placed.stages.length > 1;
  const predict = (count: number, context = TYPICAL_CONTEXT_TOKENS) =>
    predictPlan(request, plan, count, context);
  return {
    engine: plan.engine,
    ...(plan.split && { split: plan.split }),
    ...(plan.engineReason !== undefined && { engineReason: plan.engineReason }),
    model: {
      id: card.id,
      quantization: card.quantization,
      layerCount: card.layerCount,
      weightBytes: modelBytes(card),
      fileBytes: card.fileBytes,
      contextTokens: card.contextTokens,
    },
    goal: plan.goal,
    streams,
    contextTokens,
    epoch: options.epoch ?? null,
    stages: stageReports(placed, plan),
    hops: hopReports(placed, plan),
    ...draftReport(request, plan, placed),
    leftOut: nodes.filter(({ id }) => !used.has(id)).map(({ name }) => name),
    isExact: options.isExact ?? null,
    behindBestShare: options.behindBestShare ?? 0,
    predicted: {
      atContextTokens: TYPICAL_CONTEXT_TOKENS,
      oneStream: predict(1),
      guessed: isGuessed ? guessed(placed, options.measuredYield) : [],
      allStagesBusy: predict(placed.stages.length),
      asked: { streams, contextTokens, tokensPerSecond: predict(streams, contextTokens) },
      prefill: {
        promptTokens: PROMPT_TOKENS,
        tokensPerSecond: predictPlanPrefill(request, plan, PROMPT_TOKENS),
      },
    },
    longestContextTokens: Math.min(card.contextTokens, kvTokens),
    kvTokens,
    // what they explain is a pipeline of ours
    limits: plan.engine === 'node-mlx' ? planLimits(placed, plan) : [],
    improvements: [...(options.improvements ?? [])]
      .filter((improvement) => improvement !== undefined)
      .sort((a, b) => b.gainShare - a.gainShare)
      .slice(0, MAX_IMPROVEMENTS),
    assumptions: assumptions(placed),
  };
}

function draftReport(
  { card, nodes }: PlanRequest,
  { draft }: Plan,
  placed: Placed,
): Pick<PlanReport, 'draft'> {
  const node = nodes.find(({ id }) => id === draft?.nodeId);
  if (!draft || !node) return {};
  const { place, nodeId, bytes, reason } = draft;
  const guessMs = draftMs(card, node);
  const roundTripMs = placed.draft?.roundTripMs ?? null;
  return { draft: { place, nodeId, bytes, reason, node: node.name, guessMs, roundTripMs } };
}

function guessed(placed: Placed, measured: number | undefined): PlanReport['predicted']['guessed'] {
  const yields = measured === undefined ? ASSUMED_YIELDS : [measured];
  const source = measured === undefined ? 'estimate' : 'measured';
  return yields.map((yieldShare) => ({ yieldShare, source, oneStream: predictGuessed(placed, yieldShare) }));
}

function stageReports(placed: Placed, plan: Plan): StageReport[] {
  const { card, stages } = placed;
  const times = planStageMs(placed, plan);
  // of tensor parallelism every node reads its part of each layer
  const parts = plan.split === 'tensor' ? stages.length : 1;
  return stages.map(({ node, range }, index): StageReport => {
    const layers = [...card.layerBytes.keys()].slice(range.start, range.end);
    const kinds = new Set(layers.map((layer): LayerKind => card.layerKinds[layer] ?? 'dense'));
    const isMeasured = [...kinds].every((kind) => node.measured?.[kind]?.decodeMs !== undefined);
    const head = range.end === card.layerCount ? card.headBytes : 0;
    const layersRead = layers.reduce((sum, layer) => sum + decodeLayerBytes(card, layer, node, ONE_ROW), 0);
    return {
      index,
      nodeId: node.id,
      node: node.name,
      chip: node.chip,
      range,
      memory: stageMemory(placed, index, plan),
      decodeMs: times[index] ?? 0,
      readBytes: layersRead / parts + head,
      source: isMeasured ? 'measured' : 'estimate',
    };
  });
}

function stageMemory({ card, stages }: Placed, index: number, plan: Plan): StageMemory {
  const { kvTokens, prefillBytes } = plan;
  const { node, range } = stages[index] as Placed['stages'][number];
  // ranks of MLX Distributed have more than their layers
  const weightBytes =
    plan.engine === 'node-mlx' ? rangeBytes(card, range) : (plan.stages[index]?.weightBytes ?? 0);
  const kvBytes = kvTokenBytes(card, node, range.end - range.start) * kvTokens;
  const taken = weightBytes + kvBytes + prefillBytes + ENGINE_BYTES;
  return {
    memoryBytes: node.memoryBytes,
    usableBytes: node.usableBytes,
    usableSource: node.usableSource,
    weightBytes,
    kvBytes,
    scratchBytes: prefillBytes,
    engineBytes: ENGINE_BYTES,
    freeBytes: node.usableBytes - taken,
  };
}

function hopReports(placed: Placed, plan: Plan): HopReport[] {
  const hops = planHops(placed, plan, 1);
  const name = (index: number) => placed.stages[index % placed.stages.length]?.node.name ?? '';
  return placed.links.map((link, i) => ({
    from: name(i),
    to: name(i + 1),
    link,
    bytes: hops[i]?.bytes ?? 0,
    hopMs: hops[i]?.ms ?? 0,
  }));
}

function assumptions({ card, stages, links }: Placed): string[] {
  const told = new Map<string, string>();
  for (const { node } of stages) {
    if (node.measured) continue;
    const known = CHIPS.some(({ name }) => name === node.chip) ? '' : ', which is in no table of chips';
    told.set(
      node.chip,
      `${node.chip}${known}: ${node.bandwidthGBps} GB/s of memory bandwidth, of which decoding is taken to reach ${BANDWIDTH_SHARE}, and ${node.computeTflops} TFLOPS (estimates)`,
    );
  }
  const guessed = stages.filter(({ node }) => node.usableSource === 'estimate');
  const limits = new Map(guessed.map(({ node }) => [node.memoryBytes, node.usableBytes]));
  for (const [memory, usable] of limits)
    told.set(`memory ${memory}`, `of ${gib(memory)} of memory, ${gib(usable)} may be used (estimate)`);
  const kinds = [...new Set(links.filter(({ source }) => source === 'estimate').map(({ label }) => label))];
  if (kinds.length > 0) {
    const words = kinds.map((label) => {
      const link = links.find((each) => each.label === label);
      return `${label} ${link?.linkGbps} Gbit/s and a round trip of ${link?.roundTripMs} ms`;
    });
    told.set('links', `links: ${listed(words)} (estimates)`);
  }
  if (modelBytes(card) > card.fileBytes * 1.01) {
    told.set(
      'bits',
      `weights of ${card.quantization} take ${gib(card.fileBytes)} in files and ${gib(modelBytes(card))} in memory, where 3 and 6 bits become 4 and 8`,
    );
  }
  told.set('context', `decode speeds hold for a context of about ${count(TYPICAL_CONTEXT_TOKENS)} tokens`);
  return [...told.values()];
}
