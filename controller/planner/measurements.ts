// What nodes were measured to need for a layer, by chip and kind of model: the second plan is better than the first. Pure;
// where it is kept is not known here.
import { z } from 'zod';
import type { LayerKind, LayerRange, ModelCard } from '../../protocol/plan.ts';
import type { StageStats } from '../../protocol/stage.ts';
import {
  CHUNK_TOKENS,
  estimatedDecodeMs,
  estimatedPrefillMs,
  headMs,
  ONE_ROW,
  STAGE_OVERHEAD_MS,
} from './cost.ts';
import type { LayerTimes, MeasuredDraft, MeasuredLayers, PlannerNode } from './inputs.ts';

/** Chips × models: a home has a few of each. */
const MAX_ENTRIES = 256;
/** Fewer steps in an interval say little. */
const MIN_STEPS = 3;
/** Of a new measurement beside the ones before: follows a warm machine within a few seconds, not a single hiccup. */
const WEIGHT = 0.2;
const Times = z.object({
  decodeMs: z.number().positive().optional(),
  prefillMsPerToken: z.number().positive().optional(),
});

const Draft = z.object({ weightBytes: z.number().positive(), guessMs: z.number().positive() });

/** By chip, shape of the model and quantization; see `keyOf`. */
export const Measurements = z
  .record(
    z.string().max(300),
    z.object({ dense: Times.optional(), experts: Times.optional(), draft: Draft.optional() }),
  )
  .refine((entries) => Object.keys(entries).length <= MAX_ENTRIES, { message: 'too many entries' });
export type Measurements = z.infer<typeof Measurements>;

export function measuredLayers(
  measurements: Measurements,
  chip: string,
  card: ModelCard,
): MeasuredLayers | undefined {
  const { dense, experts } = measurements[keyOf(chip, card)] ?? {};
  return dense || experts ? { dense, experts } : undefined;
}

/** What a guess of the model's draft was measured to take on such a chip; undefined before any were, or of another draft. */
export function measuredDraft(
  measurements: Measurements,
  chip: string,
  card: ModelCard,
): MeasuredDraft | undefined {
  const { draft } = measurements[keyOf(chip, card)] ?? {};
  return draft?.weightBytes === card.draft?.weightBytes ? draft : undefined;
}

/** Takes in what guesses of the model's draft took a node lately; `measurements` is changed. */
export function learnDraft(measurements: Measurements, card: ModelCard, chip: string, guessMs: number): void {
  const entry = card.draft && entryOf(measurements, keyOf(chip, card));
  if (!entry || !card.draft) return;
  const { weightBytes } = card.draft;
  const known = entry.draft?.weightBytes === weightBytes ? entry.draft.guessMs : guessMs;
  entry.draft = { weightBytes, guessMs: known + WEIGHT * (guessMs - known) };
}

/**
 * Takes in what a stage reports, where it tells the time of one row's decode step or of a prompt's beginning. A stage's
 * time is spread over its layers as the estimate spreads it: its kinds of layers are not timed apart.
 * @param before the stage's report before this one
 * @returns whether something was learnt; `measurements` is changed then
 */
export function learn(
  measurements: Measurements,
  card: ModelCard,
  { node, range }: { node: PlannerNode; range: LayerRange },
  before: StageStats | undefined,
  after: StageStats,
): boolean {
  const key = keyOf(node.chip, card);
  let hasLearnt = false;
  const note = (
    field: keyof LayerTimes,
    stageMs: number | undefined,
    estimateOf: (layer: number) => number,
  ) => {
    const factor = stageMs === undefined ? undefined : factorOf(range, stageMs, estimateOf);
    if (factor === undefined) return;
    const entry = entryOf(measurements, key);
    if (!entry) return;
    hasLearnt = true;
    for (const kind of kindsIn(card, range)) {
      const times = entry[kind] ?? {};
      entry[kind] = times;
      const known = times[field];
      const time = factor * estimateOf(layerOf(card, kind));
      times[field] = known === undefined ? time : known + WEIGHT * (time - known);
    }
  };
  const layersMs = decodeStepMs(before, after);
  const headTime = range.end === card.layerCount ? headMs(card, node, 1) : 0;
  const decodeMs = layersMs === undefined ? undefined : layersMs - STAGE_OVERHEAD_MS - headTime;
  note('decodeMs', decodeMs, (layer) => estimatedDecodeMs(card, layer, node, ONE_ROW));
  const { tokens, ms } = after.prefill ?? {};
  // shorter beginnings cost more a token, as the estimate has it
  const share = tokens === undefined ? 1 : chunkShare(card, node, range, tokens);
  const prefillMs = ms === undefined ? undefined : ((ms - STAGE_OVERHEAD_MS) * share) / CHUNK_TOKENS;
  note(
    'prefillMsPerToken',
    prefillMs,
    (layer) => estimatedPrefillMs(card, layer, node, CHUNK_TOKENS, 0) / CHUNK_TOKENS,
  );
  return hasLearnt;
}

/** The mean time of a step, where all of the interval's steps were one row's decode steps. */
function decodeStepMs(before: StageStats | undefined, after: StageStats): number | undefined {
  if (!before || after.stepTimeMs === null) return undefined;
  const steps = after.stepsTotal - before.stepsTotal;
  const tokens = after.tokensTotal - before.tokensTotal;
  return steps >= MIN_STEPS && tokens === steps ? after.stepTimeMs : undefined;
}

/** How much longer than the estimate a stage's layers took. */
function factorOf(
  { start, end }: LayerRange,
  stageMs: number,
  estimateOf: (layer: number) => number,
): number | undefined {
  let estimate = 0;
  for (let layer = start; layer < end; layer++) estimate += estimateOf(layer);
  const factor = stageMs / estimate;
  return factor > 0 && Number.isFinite(factor) ? factor : undefined;
}

/** How many times as long as so many tokens a full chunk is estimated to take. */
function chunkShare(card: ModelCard, node: PlannerNode, { start, end }: LayerRange, tokens: number): number {
  const estimate = (count: number) => {
    let ms = 0;
    for (let layer = start; layer < end; layer++) ms += estimatedPrefillMs(card, layer, node, count, 0);
    return ms;
  };
  return estimate(CHUNK_TOKENS) / estimate(tokens);
}

function kindsIn(card: ModelCard, { start, end }: LayerRange): Set<LayerKind> {
  return new Set(card.layerKinds.slice(start, end));
}

function layerOf(card: ModelCard, kind: LayerKind): number {
  return Math.max(0, card.layerKinds.indexOf(kind));
}

/** @returns undefined where there are too many */
function entryOf(measurements: Measurements, key: string): Measurements[string] | undefined {
  if (!(key in measurements) && Object.keys(measurements).length >= MAX_ENTRIES) return undefined;
  measurements[key] ??= {};
  return measurements[key];
}

function keyOf(chip: string, card: ModelCard): string {
  return `${chip} · ${card.architecture} ${card.hiddenSize} · ${card.quantization}`.slice(0, 300);
}
