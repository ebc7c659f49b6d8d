// Good layouts over more nodes than can be searched exactly: a beam search. From each number of covered layers only the
// most promising ways to get there are followed; what comes out is a layout that holds, without proof that none is better.

import { bestWay, type Layout, type Problem, stageTimeNs } from './problem.ts';
import { reachWithin } from './reach.ts';
import { twinsBefore } from './twins.ts';

/** Ways kept for each number of covered layers (or of stages). */
const BEAM = 48;
/** A bucket is thinned out when it holds so many. */
const BUCKET = 8 * BEAM;
export const MAX_BEAM_NODES = 64;

interface State {
  /** used nodes, a bit each */
  readonly used: bigint;
  readonly node: number;
  readonly first: number;
  readonly stages: number;
  /** layers covered */
  readonly end: number;
  readonly sumNs: number;
  readonly before: State | undefined;
}

/** What both searches need of a problem under one cap. */
class Field {
  readonly problem: Problem;
  readonly ends: readonly Int16Array[];
  readonly #hopNs: Float64Array;
  readonly #closingNs: Float64Array;
  readonly #before: readonly number[];
  readonly #capNs: number;

  constructor(problem: Problem, capNs: number, before: readonly number[]) {
    this.problem = problem;
    this.ends = reachWithin(problem, capNs);
    this.#capNs = capNs;
    this.#before = before;
    const times = (table: Problem['hops']) =>
      Float64Array.from(
        table.flatMap((row) => row.map((list) => bestWay(list, capNs)?.ns ?? Number.POSITIVE_INFINITY)),
      );
    this.#hopNs = times(problem.hops);
    this.#closingNs = times(problem.closings);
  }

  /** The nodes that may come after a state (or first), with the time of the hop. */
  *followers(state: State | undefined): Generator<[node: number, hopNs: number]> {
    const { nodes, maxStages } = this.problem;
    if (state && state.stages >= maxStages) return;
    const used = state?.used ?? 0n;
    for (const node of nodes.keys()) {
      const twin = this.#before[node] as number;
      if (used & (1n << BigInt(node)) || (twin >= 0 && !(used & (1n << BigInt(twin))))) continue;
      const hopNs = state ? (this.#hopNs[state.node * nodes.length + node] as number) : 0;
      if (hopNs !== Number.POSITIVE_INFINITY) yield [node, hopNs];
    }
  }

  step(state: State | undefined, node: number, hopNs: number, end: number): State {
    return {
      used: (state?.used ?? 0n) | (1n << BigInt(node)),
      node,
      first: state?.first ?? node,
      stages: (state?.stages ?? 0) + 1,
      end,
      sumNs: (state?.sumNs ?? 0) + hopNs + stageTimeNs(this.problem, node, state?.end ?? 0, end),
      before: state,
    };
  }

  /** Where the next stage may end that is not the last one: from its longest run down to one layer. */
  stageEnds(state: State | undefined, node: number): { longest: number; shortest: number } {
    const start = state?.end ?? 0;
    const longest = this.ends[node]?.[start] ?? 0;
    const pinned = this.problem.pinnedBounds?.[(state?.stages ?? 0) + 1];
    if (pinned === undefined) return { longest, shortest: start + 1 };
    return { longest: Math.min(longest, pinned), shortest: pinned };
  }

  /** The whole layout, where `node` takes all that is left. */
  finish(state: State | undefined, node: number, hopNs: number): State | undefined {
    const { problem } = this;
    const { layerCount, nodes, pinnedBounds } = problem;
    const start = state?.end ?? 0;
    const stages = (state?.stages ?? 0) + 1;
    if (problem.fitsLast[node]?.[start] !== 1) return undefined;
    if (pinnedBounds && (pinnedBounds.length !== stages + 1 || pinnedBounds[stages - 1] !== start))
      return undefined;
    if (stageTimeNs(problem, node, start, layerCount) > this.#capNs) return undefined;
    const closingNs = state ? (this.#closingNs[node * nodes.length + state.first] as number) : 0;
    if (closingNs === Number.POSITIVE_INFINITY) return undefined;
    return this.step(state, node, hopNs + closingNs, layerCount);
  }
}

/** A layout within `capNs` that was found by letting every stage take as many layers as it can. */
export function beamCover(
  problem: Problem,
  capNs: number,
  before = twinsBefore(problem),
): Layout | undefined {
  const field = new Field(problem, capNs, before);
  let states: (State | undefined)[] = [undefined];
  while (states.length > 0) {
    const next: State[] = [];
    for (const state of states) {
      for (const [node, hopNs] of field.followers(state)) {
        const finished = field.finish(state, node, hopNs);
        if (finished) return layoutOf(finished);
        const { longest, shortest } = field.stageEnds(state, node);
        if (longest >= shortest) next.push(field.step(state, node, hopNs, longest));
      }
    }
    // half of them by how far they got, half by how far they got with how much: strong nodes may be needed later
    const spare = (state: State) => state.end - usedReach(field, state);
    const far = keep(next, (a, b) => b.end - a.end || a.sumNs - b.sumNs, BEAM / 2);
    const thrifty = keep(next, (a, b) => spare(b) - spare(a) || a.sumNs - b.sumNs, BEAM / 2);
    states = [...new Set([...far, ...thrifty])];
  }
  return undefined;
}

/** The layout within `capNs` with the smallest sum of times that the beam has found. */
export function beamLayout(
  problem: Problem,
  capNs: number,
  before = twinsBefore(problem),
): Layout | undefined {
  const field = new Field(problem, capNs, before);
  const buckets: State[][] = Array.from({ length: problem.layerCount }, () => []);
  // what a state must be below to be kept in its bucket
  const limits = new Float64Array(problem.layerCount).fill(Number.POSITIVE_INFINITY);
  let best: State | undefined;
  const bestSum = () => best?.sumNs ?? Number.POSITIVE_INFINITY;
  const expand = (state: State | undefined) => {
    const start = state?.end ?? 0;
    for (const [node, hopNs] of field.followers(state)) {
      const finished = field.finish(state, node, hopNs);
      if (finished && finished.sumNs < bestSum()) best = finished;
      const { longest, shortest } = field.stageEnds(state, node);
      const reachedNs = (state?.sumNs ?? 0) + hopNs;
      for (let end = longest; end >= shortest; end--) {
        const sumNs = reachedNs + stageTimeNs(problem, node, start, end);
        if (sumNs >= Math.min(limits[end] as number, bestSum())) continue;
        const bucket = buckets[end] as State[];
        bucket.push(field.step(state, node, hopNs, end));
        if (bucket.length < BUCKET) continue;
        const kept = keep(bucket, bySum);
        buckets[end] = kept;
        if (kept.length === BEAM) limits[end] = (kept.at(-1) as State).sumNs;
      }
    }
  };
  expand(undefined);
  for (let end = 1; end < problem.layerCount; end++) {
    for (const state of keep(buckets[end] as State[], bySum)) expand(state);
    buckets[end] = [];
  }
  return best && layoutOf(best);
}

function bySum(a: State, b: State): number {
  return a.sumNs - b.sumNs || a.stages - b.stages;
}

/** The first `count` states in this order, not too many with the same last node, none twice. */
function keep(states: State[], compare: (a: State, b: State) => number, count = BEAM): State[] {
  const lasts = new Set(states.map(({ node }) => node)).size;
  const mostPerLast = Math.max(3, Math.ceil((2 * count) / lasts));
  const perLast = new Map<number, State[]>();
  const kept: State[] = [];
  for (const state of states.sort(compare)) {
    const others = perLast.get(state.node) ?? [];
    if (others.length >= mostPerLast || others.some((other) => isSame(other, state))) continue;
    others.push(state);
    perLast.set(state.node, others);
    kept.push(state);
    if (kept.length === count) break;
  }
  return kept;
}

/** Layers that the used nodes could cover from the middle of the model. */
function usedReach({ ends, problem }: Field, state: State): number {
  const middle = problem.layerCount >> 1;
  let layers = 0;
  for (let at: State | undefined = state; at; at = at.before)
    layers += (ends[at.node]?.[middle] ?? middle) - middle;
  return layers;
}

function isSame(a: State, b: State): boolean {
  return a.used === b.used && a.first === b.first && a.end === b.end;
}

function layoutOf(state: State): Layout {
  const order: number[] = [];
  const bounds: number[] = [0];
  for (let at: State | undefined = state; at; at = at.before) {
    order.unshift(at.node);
    bounds.splice(1, 0, at.end);
  }
  return { order, bounds };
}
