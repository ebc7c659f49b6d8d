// What a plan is predicted to do on the engine that it is for. Pure, over the cost model: a pipeline of ours is predict.ts's;
// MLX's pipeline runs one stage at a time, and its tensor parallelism all at once.
import type { ModelCard, Plan } from '../../protocol/plan.ts';
import { CHUNK_TOKENS, ONE_ROW, prefillLayerMs, STAGE_OVERHEAD_MS } from './cost.ts';
import type { PlannerNode, PlanRequest } from './inputs.ts';
import { hopMs } from './links.ts';
import {
  type Placed,
  placePlan,
  predictDecode,
  predictPrefill,
  stageDecodeMs,
  stepBytes,
} from './predict.ts';
import { reducesBytes, tensorChunkMs, tensorStepMs } from './tensor.ts';

type Places = Pick<PlanRequest, 'card' | 'nodes'>;

/**
 * `placePlan`, without what was measured where that says nothing: of our stages, for MLX's ranks.
 * @throws Error when a stage's node is not among `nodes`
 */
export function placeOnEngine(card: ModelCard, plan: Plan, nodes: readonly PlannerNode[]): Placed {
  const known = plan.engine === 'node-mlx' ? nodes : nodes.map(({ measured: _, ...node }) => node);
  return placePlan(card, plan, known);
}

/** Tokens a second, predicted, of `streams` streams at once. */
export function predictPlan(
  { card, nodes }: Places,
  plan: Plan,
  streams: number,
  contextTokens: number,
): number {
  const placed = placeOnEngine(card, plan, nodes);
  if (plan.engine === 'node-mlx') return predictDecode(placed, streams, contextTokens);
  const load = { rows: streams, contextTokens };
  if (plan.split === 'tensor') return (1000 * streams) / tensorStepMs(card, used(placed), plan.links, load);
  const hops = planHops(placed, plan, streams);
  return (1000 * streams) / (sum(stageDecodeMs(placed, load)) + sum(hops.map(({ ms }) => ms)));
}

/** Tokens of one prompt a second, until its last chunk is through. On MLX no chunk begins before the last one has ended. */
export function predictPlanPrefill({ card, nodes }: Places, plan: Plan, promptTokens: number): number {
  const placed = placeOnEngine(card, plan, nodes);
  if (plan.engine === 'node-mlx') return predictPrefill(placed, promptTokens);
  let ms = 0;
  for (let before = 0; before < promptTokens; before += CHUNK_TOKENS) {
    const tokens = Math.min(promptTokens - before, CHUNK_TOKENS);
    if (plan.split === 'tensor') ms += tensorChunkMs(card, used(placed), plan.links, tokens, before);
    else ms += pipelineChunkMs(placed, plan, tokens, before);
  }
  return (1000 * promptTokens) / ms;
}

/** What each stage computes in one decode step of one stream, in milliseconds, without waiting for others. */
export function planStageMs(placed: Placed, plan: Plan): number[] {
  if (plan.split !== 'tensor') return stageDecodeMs(placed, ONE_ROW);
  const nodes = used(placed);
  // each as if all were like it: the others' slowness is waiting
  return nodes.map((node) =>
    tensorStepMs(
      placed.card,
      nodes.map(() => node),
      [],
      ONE_ROW,
    ),
  );
}

/** What each hop carries in one decode step, all ways together, and for how long. */
export function planHops(placed: Placed, plan: Plan, rows: number): { bytes: number; ms: number }[] {
  const bytes = stepBytes(placed, rows);
  if (plan.engine === 'node-mlx')
    return placed.links.map((link, i) => ({ bytes: bytes[i] ?? 0, ms: hopMs(link, bytes[i] ?? 0) }));
  if (plan.split === 'tensor') {
    const { card } = placed;
    const nodes = used(placed);
    const computeMs = tensorStepMs(card, nodes, [], ONE_ROW);
    return placed.links.map((link) => ({
      bytes: reducesBytes(card, nodes, rows),
      ms: tensorStepMs(card, nodes, [link], ONE_ROW) - computeMs,
    }));
  }
  // the hidden states go on, and the last stage's come back to every rank
  const once = bytes[0] ?? 0;
  return placed.links.map((link) => ({ bytes: 2 * once, ms: 2 * hopMs(link, once) }));
}

function pipelineChunkMs(placed: Placed, plan: Plan, tokens: number, before: number): number {
  let ms = sum(planHops(placed, plan, tokens).map((hop) => hop.ms));
  for (const { node, range } of placed.stages) {
    ms += STAGE_OVERHEAD_MS;
    for (let layer = range.start; layer < range.end; layer++)
      ms += prefillLayerMs(placed.card, layer, node, tokens, before);
  }
  return ms;
}

const used = ({ stages }: Placed) => stages.map(({ node }) => node);

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
