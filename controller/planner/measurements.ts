// What nodes were measured to need for a layer, by chip and kind of model: the second plan is better than the first. Pure;
// where it is kept is not known here.
import { z } from 'zod';
import type { LayerKind, LayerRange, ModelCard } from '../../protocol/plan.ts';
import type { StageStats } from '../../protocol/stage.ts';
import { CHUNK_TOKENS, estimatedDecodeMs, headMs, ONE_ROW, STAGE_OVERHEAD_MS } from './cost.ts';
import type { MeasuredLayers, PlannerNode } from './inputs.ts';

/** Chips × models: a home has a few of each. */
const MAX_ENTRIES = 256;
/** Fewer steps in an interval say little. */
const MIN_STEPS = 3;
/** Of a new measurement beside the ones before: follows a warm machine within a few seconds, not a single hiccup. */
const WEIGHT = 0.2;
/** A prefill's step of at least so many tokens is a chunk; shorter ones cost more a token. */
const MIN_CHUNK_TOKENS = CHUNK_TOKENS / 2;
/** An interval that was busy to the end may have counted a step that began before it. */
const MAX_BUSY_SHARE = 0.98;

const Times = z.object({
  decodeMs: z.number().positive().optional(),
  prefillMsPerToken: z.number().positive().optional(),
});

/** By chip, shape of the model and quantization; see `keyOf`. */
export const Measurements = z
  .record(z.string().max(300), z.object({ dense: Times.optional(), experts: Times.optional() }))
  .refine((entries) => Object.keys(entries).length <= MAX_ENTRIES, { message: 'too many entries' });
export type Measurements = z.infer<typeof Measurements>;

export function measuredLayers(
  measurements: Measurements,
  chip: string,
  card: ModelCard,
): MeasuredLayers | undefined {
  return measurements[keyOf(chip, card)];
}

/**
 * Takes in what a stage reports, where it tells the time of one row's decode step or of a prefill chunk. A stage's time is
 * spread over its layers as the estimate spreads it: its kinds of layers are not timed apart.
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
  const steps = after.stepsTotal - (before?.stepsTotal ?? 0);
  const tokens = after.tokensTotal - (before?.tokensTotal ?? 0);
  if (!before || steps < 1) return false;
  const key = keyOf(node.chip, card);
  if (!(key in measurements) && Object.keys(measurements).length >= MAX_ENTRIES) return false;
  const { stepTimeMs, busyShare } = after;
  const note = (field: 'decodeMs' | 'prefillMsPerToken', timeOf: (kind: LayerKind) => number) => {
    const entry = measurements[key] ?? {};
    measurements[key] = entry;
    for (const kind of kindsIn(card, range)) {
      const times = entry[kind] ?? {};
      entry[kind] = times;
      const known = times[field];
      const time = timeOf(kind);
      times[field] = known === undefined ? time : known + WEIGHT * (time - known);
    }
  };
  if (stepTimeMs !== null && steps >= MIN_STEPS && tokens === steps) {
    const factor = decodeFactor(card, node, range, stepTimeMs);
    if (factor === undefined) return false;
    note('decodeMs', (kind) => factor * estimatedDecodeMs(card, layerOf(card, kind), node, ONE_ROW));
    return true;
  }
  if (
    stepTimeMs === null &&
    tokens >= steps * MIN_CHUNK_TOKENS &&
    busyShare > 0 &&
    busyShare < MAX_BUSY_SHARE
  ) {
    const stageMsPerToken = (busyShare * 1000) / after.tokensPerSecond;
    const flops = (layer: number) => card.layerFlops[layer] ?? 0;
    let total = 0;
    for (let layer = range.start; layer < range.end; layer++) total += flops(layer);
    if (!(total > 0) || !Number.isFinite(stageMsPerToken)) return false;
    note('prefillMsPerToken', (kind) => (stageMsPerToken * flops(layerOf(card, kind))) / total);
    return true;
  }
  return false;
}

/** How much longer than the estimate a stage's layers took. */
function decodeFactor(
  card: ModelCard,
  node: PlannerNode,
  range: LayerRange,
  stepTimeMs: number,
): number | undefined {
  let estimate = 0;
  for (let layer = range.start; layer < range.end; layer++)
    estimate += estimatedDecodeMs(card, layer, node, ONE_ROW);
  const head = range.end === card.layerCount ? headMs(card, node, 1) : 0;
  const layersMs = stepTimeMs - STAGE_OVERHEAD_MS - head;
  return layersMs > 0 && estimate > 0 ? layersMs / estimate : undefined;
}

function kindsIn(card: ModelCard, { start, end }: LayerRange): Set<LayerKind> {
  return new Set(card.layerKinds.slice(start, end));
}

function layerOf(card: ModelCard, kind: LayerKind): number {
  return Math.max(0, card.layerKinds.indexOf(kind));
}

function keyOf(chip: string, card: ModelCard): string {
  return `${chip} · ${card.architecture} ${card.hiddenSize} · ${card.quantization}`.slice(0, 300);
}
