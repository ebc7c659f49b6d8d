// The best plan by trying every subset, order, split and link of a request: slow, and plain enough to be believed.
import {
  decodeLayerMs,
  FRAME_BYTES,
  headMs,
  hopBytes,
  ONE_ROW,
  STAGE_OVERHEAD_MS,
} from '../../../controller/planner/cost.ts';
import type { PlannerNode, PlanRequest } from '../../../controller/planner/inputs.ts';
import { carryMs as linkCarryMs } from '../../../controller/planner/links.ts';
import { ENGINE_BYTES, scratchBytes } from '../../../controller/planner/memory.ts';
import { kvCapacity } from '../../../protocol/limits.ts';
import type { Link, Plan } from '../../../protocol/plan.ts';

export interface BruteCost {
  sumMs: number;
  maxMs: number;
}

const NONE: BruteCost = { sumMs: Number.POSITIVE_INFINITY, maxMs: Number.POSITIVE_INFINITY };
/** Of sums of the same whole nanoseconds in another order. */
const ROUNDING = 1 + 1e-9;

/** The smallest bottleneck and the smallest sum with it; or the smallest sum alone. Infinite where nothing fits. */
export function bruteForce(request: PlanRequest): BruteCost {
  if (request.goal === 'latency')
    return { ...NONE, sumMs: smallest(request, 'sumMs', Number.POSITIVE_INFINITY) };
  const maxMs = smallest(request, 'maxMs', Number.POSITIVE_INFINITY);
  return { maxMs, sumMs: smallest(request, 'sumMs', maxMs * ROUNDING) };
}

/** What a plan costs, counted anew. @throws when it breaks a rule */
export function countPlan(request: PlanRequest, plan: Plan): BruteCost {
  const { card, nodes } = request;
  let sumMs = 0;
  let maxMs = 0;
  let expected = 0;
  const used = new Set<string>();
  for (const [i, { nodeId, range }] of plan.stages.entries()) {
    const at = nodes.find(({ id }) => id === nodeId);
    if (!at || used.has(nodeId))
      throw new Error(`stage ${i} is on ${nodeId}, which is not there or used twice`);
    used.add(nodeId);
    if (range.start !== expected || range.end <= range.start)
      throw new Error(`stage ${i} begins at ${range.start}`);
    expected = range.end;
    if (stageBytes(request, at, range.start, range.end) > at.usableBytes)
      throw new Error(`stage ${i} does not fit`);
    const ms = stageMs(request, at, range.start, range.end);
    sumMs += ms;
    maxMs = Math.max(maxMs, ms);
  }
  if (expected !== card.layerCount) throw new Error(`it ends at ${expected}`);
  for (const [i, link] of plan.links.entries()) {
    const from = nodes.find(({ id }) => id === plan.stages[i]?.nodeId) as PlannerNode;
    const to = nodes.find(
      ({ id }) => id === plan.stages[(i + 1) % plan.stages.length]?.nodeId,
    ) as PlannerNode;
    if (!linksOf(request, from, to).includes(link))
      throw new Error(`there is no such link from ${from.id} to ${to.id}`);
    const bytes = i === plan.stages.length - 1 ? FRAME_BYTES : hopBytes(card, from, 1);
    sumMs += hopMs(link, bytes);
    maxMs = Math.max(maxMs, carryMs(link, bytes));
  }
  return { sumMs, maxMs };
}

/** A hop as plans are compared: a round trip of less than a quarter of a millisecond is not told apart from one of that. */
function hopMs(link: Link, bytes: number): number {
  return wholeNs(Math.max(link.roundTripMs, 0.25) / 2 + linkCarryMs(link, bytes)) / 1e6;
}

function carryMs(link: Link, bytes: number): number {
  return wholeNs(linkCarryMs(link, bytes)) / 1e6;
}

function smallest(request: PlanRequest, figure: keyof BruteCost, capMs: number): number {
  const { card, nodes } = request;
  const times = nodes.map((at) => table(card.layerCount, (start, end) => stageMs(request, at, start, end)));
  const fits = nodes.map((at) =>
    table(card.layerCount, (start, end) => stageBytes(request, at, start, end) <= at.usableBytes),
  );
  const ways = (bytes: (from: PlannerNode) => number) =>
    nodes.map((from) =>
      nodes.map((to) =>
        from === to ? NONE : wayCost(linksOf(request, from, to), bytes(from), figure, capMs),
      ),
    );
  const hops = ways((from) => hopBytes(card, from, 1));
  const closings = ways(() => FRAME_BYTES);
  let best = Number.POSITIVE_INFINITY;
  const used = nodes.map(() => false);
  const extend = (first: number, last: number, start: number, cost: BruteCost): void => {
    for (const at of nodes.keys()) {
      if (used[at]) continue;
      const hop = last < 0 ? { sumMs: 0, maxMs: 0 } : (hops[last]?.[at] as BruteCost);
      const head = last < 0 ? at : first;
      used[at] = true;
      for (let end = start + 1; end <= card.layerCount; end++) {
        if (!fits[at]?.[start]?.[end]) continue;
        const ms = times[at]?.[start]?.[end] as number;
        const sumMs = cost.sumMs + hop.sumMs + ms;
        const maxMs = Math.max(cost.maxMs, hop.maxMs, ms);
        if (maxMs > capMs || (figure === 'sumMs' ? sumMs : maxMs) >= best) continue;
        if (end < card.layerCount) extend(head, at, end, { sumMs, maxMs });
        else {
          const closing = at === head ? { sumMs: 0, maxMs: 0 } : (closings[at]?.[head] as BruteCost);
          const total = { sumMs: sumMs + closing.sumMs, maxMs: Math.max(maxMs, closing.maxMs) };
          if (total.maxMs <= capMs) best = Math.min(best, total[figure]);
        }
      }
      used[at] = false;
    }
  };
  extend(-1, -1, 0, { sumMs: 0, maxMs: 0 });
  return best;
}

/** The link that serves the figure best, of those that are not busy for longer than the cap. */
function wayCost(links: readonly Link[], bytes: number, figure: keyof BruteCost, capMs: number): BruteCost {
  return links
    .map((link) => ({ sumMs: hopMs(link, bytes), maxMs: carryMs(link, bytes) }))
    .filter(({ maxMs }) => maxMs <= capMs)
    .reduce((best, each) => (each[figure] < best[figure] ? each : best), NONE);
}

function linksOf({ links, otherLink }: PlanRequest, from: PlannerNode, to: PlannerNode): Link[] {
  const own = links.filter(
    ({ between: [a, b] }) => (a === from.id && b === to.id) || (a === to.id && b === from.id),
  );
  return own.length > 0 ? own.map(({ link }) => link) : otherLink ? [otherLink] : [];
}

function stageMs({ card }: PlanRequest, at: PlannerNode, start: number, end: number): number {
  let ns = wholeNs(STAGE_OVERHEAD_MS) + (end === card.layerCount ? wholeNs(headMs(card, at, 1)) : 0);
  for (let layer = start; layer < end; layer++) ns += wholeNs(decodeLayerMs(card, layer, at, ONE_ROW));
  return ns / 1e6;
}

/** All times are counted so, or what is equal for the planner would not be equal here. */
function wholeNs(ms: number): number {
  return Math.round(ms * 1e6);
}

function stageBytes(request: PlanRequest, at: PlannerNode, start: number, end: number): number {
  const { card, streams, contextTokens } = request;
  const tokens = streams * kvCapacity(contextTokens);
  let bytes = ENGINE_BYTES + scratchBytes(at) + (start === 0 ? card.embeddingBytes : 0);
  if (end === card.layerCount) bytes += card.headBytes;
  for (let layer = start; layer < end; layer++)
    bytes += (card.layerBytes[layer] as number) + card.kvValuesPerTokenLayer * at.valueBytes * tokens;
  return bytes;
}

function table<T>(layers: number, of: (start: number, end: number) => T): T[][] {
  return Array.from({ length: layers }, (_, start) =>
    Array.from({ length: layers + 1 }, (__, end) => of(start, end)),
  );
}
