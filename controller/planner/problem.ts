// A plan request as numbers: what each node would take for any run of layers, what each hop takes, and what fits where.
// Whole nanoseconds, so that equal plans cost exactly the same and the searches agree to the last digit.
import type { Link, ModelCard } from '../../protocol/plan.ts';
import { decodeLayerMs, draftMs, FRAME_BYTES, headMs, hopBytes, ONE_ROW, STAGE_OVERHEAD_MS } from './cost.ts';
import { guessedTime } from './guessed-time.ts';
import type { PlannerNode, PlanRequest } from './inputs.ts';
import { carryMs, comparedHopMs, linkTable } from './links.ts';
import { askedKvTokens, firstStageBytes, kvTokenBytes, roomBytes } from './memory.ts';
import type { PlanCost } from './stability.ts';

const NS_PER_MS = 1e6;

/** One way from a node to another, as times of a decode step's hidden state, or of the tokens that close the ring. */
export interface Way {
  link: Link;
  /** from the first byte sent to the last one there */
  ns: number;
  /** how long the link is busy with it */
  carryNs: number;
}

export interface Problem {
  readonly layerCount: number;
  readonly nodes: readonly PlannerNode[];
  readonly maxStages: number;
  /** where each stage must end, when that is pinned */
  readonly pinnedBounds: readonly number[] | undefined;
  /** [node][layer]: of a step through all layers before this one */
  readonly layerNs: readonly Float64Array[];
  /** [node]: beside the layers of a stage; and of the last stage's head */
  readonly stageNs: readonly number[];
  readonly headNs: readonly number[];
  /** [node]: of a guess, on the first stage; 0 where guesses do not count */
  readonly draftNs: readonly number[];
  /** the share of guesses that is right; 0 where they do not count */
  readonly guessYield: number;
  /** [node][start]: where the longest run of layers from here ends that fits as a stage which is not the last one */
  readonly reach: readonly Int16Array[];
  /** [node][start]: whether all layers from here on fit, with the head */
  readonly fitsLast: readonly Uint8Array[];
  /** [node][layer]: bytes of weights and asked KV of all layers before this one; and of embedding and head */
  readonly layerBytes: readonly Float64Array[];
  /** beside its layers */
  readonly firstStageBytes: number;
  readonly headBytes: number;
  /** [from][to] */
  readonly hops: readonly (readonly (readonly Way[])[])[];
  readonly closings: readonly (readonly (readonly Way[])[])[];
}

/** @param nodes those of the request that may be used, in the order that decides between equal plans */
export function problemOf(request: PlanRequest, nodes: readonly PlannerNode[]): Problem {
  const { card, links, otherLink, unlinked, maxStages = nodes.length, pins } = request;
  // many streams fill the stages themselves
  const guessYield = request.goal === 'latency' ? (request.guessYield ?? 0) : 0;
  const { layerCount } = card;
  const layers = [...card.layerBytes.keys()];
  const linksBetween = linkTable(links, otherLink, unlinked);
  const tokens = askedKvTokens(request);
  const layerBytes = nodes.map((node) => {
    const kv = kvTokenBytes(card, node, 1) * tokens;
    return prefixSums(layers.map((layer) => (card.layerBytes[layer] ?? 0) + kv));
  });
  const fits = nodes.map((node, n) => fitting(layerBytes[n] as Float64Array, roomBytes(node), card));
  const ways = (bytesFrom: (node: PlannerNode) => number) =>
    nodes.map((from) =>
      nodes.map((to) =>
        from === to ? [] : linksBetween(from.id, to.id).map((link) => way(link, bytesFrom(from))),
      ),
    );
  return {
    layerCount,
    nodes,
    maxStages: Math.min(maxStages, nodes.length, layerCount),
    pinnedBounds: pins?.layers && boundsOf(pins.layers),
    layerNs: nodes.map((node) =>
      prefixSums(layers.map((layer) => toNs(decodeLayerMs(card, layer, node, ONE_ROW)))),
    ),
    stageNs: nodes.map(() => toNs(STAGE_OVERHEAD_MS)),
    headNs: nodes.map((node) => toNs(headMs(card, node, 1))),
    draftNs: nodes.map((node) => (guessYield > 0 ? toNs(draftMs(card, node)) : 0)),
    guessYield,
    reach: fits.map(({ reach }) => reach),
    fitsLast: fits.map(({ fitsLast }) => fitsLast),
    layerBytes,
    firstStageBytes: firstStageBytes(card),
    headBytes: card.headBytes,
    hops: ways((node) => hopBytes(card, node, 1)),
    closings: ways(() => FRAME_BYTES),
  };
}

/** The time of a step in a stage. */
export function stageTimeNs(problem: Problem, node: number, start: number, end: number): number {
  const sums = problem.layerNs[node] as Float64Array;
  const head = end === problem.layerCount ? (problem.headNs[node] as number) : 0;
  const draft = start === 0 ? (problem.draftNs[node] as number) : 0;
  return (sums[end] as number) - (sums[start] as number) + (problem.stageNs[node] as number) + head + draft;
}

/** What a stage takes of its node, with the asked KV. */
export function stageBytes(problem: Problem, node: number, start: number, end: number): number {
  const sums = problem.layerBytes[node] as Float64Array;
  const first = start === 0 ? problem.firstStageBytes : 0;
  const head = end === problem.layerCount ? problem.headBytes : 0;
  return (sums[end] as number) - (sums[start] as number) + first + head;
}

/** Whether a stage of these layers fits on a node. */
export function stageFits(problem: Problem, node: number, start: number, end: number): boolean {
  return end === problem.layerCount
    ? problem.fitsLast[node]?.[start] === 1
    : end <= (problem.reach[node]?.[start] ?? 0);
}

/** The fastest of some ways whose link is busy for no longer than `capNs`; of equal ones the first. */
export function bestWay(ways: readonly Way[], capNs: number): Way | undefined {
  let best: Way | undefined;
  for (const each of ways) if (each.carryNs <= capNs && (!best || each.ns < best.ns)) best = each;
  return best;
}

/** Stages in order: nodes by their number, and where each one's layers end. */
export interface Layout {
  order: readonly number[];
  /** one more than stages: from 0 to the number of layers */
  bounds: readonly number[];
}

/** The links of a layout, the last one closing the ring. @returns undefined where one is missing */
export function layoutWays(problem: Problem, order: readonly number[], capNs: number): Way[] | undefined {
  if (order.length === 1) return [];
  const ways: Way[] = [];
  for (const [i, from] of order.entries()) {
    const isClosing = i === order.length - 1;
    const to = (isClosing ? order[0] : order[i + 1]) as number;
    const found = bestWay((isClosing ? problem.closings : problem.hops)[from]?.[to] ?? [], capNs);
    if (!found) return undefined;
    ways.push(found);
  }
  return ways;
}

/** @returns undefined where a stage does not fit or a link is missing */
export function layoutCost(
  problem: Problem,
  { order, bounds }: Layout,
  capNs = Number.POSITIVE_INFINITY,
): PlanCost | undefined {
  const ways = layoutWays(problem, order, capNs);
  if (!ways) return undefined;
  let sumNs = 0;
  let maxNs = 0;
  for (const [i, node] of order.entries()) {
    const [start, end] = [bounds[i] as number, bounds[i + 1] as number];
    if (!stageFits(problem, node, start, end)) return undefined;
    const ns = stageTimeNs(problem, node, start, end);
    sumNs += ns + (ways[i]?.ns ?? 0);
    maxNs = Math.max(maxNs, ns, ways[i]?.carryNs ?? 0);
  }
  return { sumNs, maxNs, tokenNs: guessedTime(sumNs, maxNs, order.length, problem.guessYield) };
}

function boundsOf(layers: readonly number[]): number[] {
  const bounds = [0];
  for (const count of layers) bounds.push((bounds.at(-1) as number) + count);
  return bounds;
}

function fitting(
  sums: Float64Array,
  room: number,
  card: ModelCard,
): { reach: Int16Array; fitsLast: Uint8Array } {
  const { headBytes, layerCount } = card;
  const reach = new Int16Array(layerCount + 1);
  const fitsLast = new Uint8Array(layerCount + 1);
  for (let start = 0; start < layerCount; start++) {
    const left = room - (start === 0 ? firstStageBytes(card) : 0) + (sums[start] as number);
    let end = start;
    while (end < layerCount - 1 && (sums[end + 1] as number) <= left) end++;
    reach[start] = end;
    fitsLast[start] = (sums[layerCount] as number) + headBytes <= left ? 1 : 0;
  }
  return { reach, fitsLast };
}

function way(link: Link, bytes: number): Way {
  return { link, ns: toNs(comparedHopMs(link, bytes)), carryNs: toNs(carryMs(link, bytes)) };
}

function toNs(ms: number): number {
  return Math.round(ms * NS_PER_MS);
}

function prefixSums(values: readonly number[]): Float64Array {
  const sums = new Float64Array(values.length + 1);
  for (const [i, value] of values.entries()) sums[i + 1] = (sums[i] as number) + value;
  return sums;
}
