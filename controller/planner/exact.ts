// The best layout over all subsets, orders and splits of a few nodes: exact, by dynamic programming over
// (first node, set of used nodes, last node, layers covered). 2^n · n² · layers states: for up to MAX_EXACT_NODES.
import { bestWay, type Layout, type Problem, stageTimeNs } from './problem.ts';
import { reachWithin } from './reach.ts';
import { twinsBefore } from './twins.ts';

export const MAX_EXACT_NODES = 8;

/**
 * Whether any layout stays within `capNs`. For each set and last node it notes every number of layers that they can cover:
 * the largest is not enough, because a node that must be passed on the way to another needs a layer of its own.
 */
export function coverExists(problem: Problem, capNs: number): boolean {
  const field = new Field(problem, capNs);
  const { n, heads } = field;
  const { layerCount } = problem;
  const width = layerCount + 1;
  // [(set * n + last) * width + layers]: whether these nodes can cover so many
  const covered = new Uint8Array((1 << n) * n * width);
  for (const first of heads) {
    if (field.endsHere(first, 0, 1)) return true;
    covered.fill(0);
    const start = ((1 << first) * n + first) * width;
    for (let end = 1; end <= (field.ends[first]?.[0] ?? 0); end++)
      if (field.mayEnd(1, end)) covered[start + end] = 1;
    for (const { set, last, next, stages } of field.steps(first)) {
      const from = (set * n + last) * width;
      const to = ((set | (1 << next)) * n + next) * width;
      const ends = field.ends[next] as Int16Array;
      const mayClose = field.closes(next, first);
      // the longest run from any of the starts so far; a later start never gets less far
      let reach = 0;
      for (let layers = stages - 1; layers < layerCount; layers++) {
        if (layers <= reach && field.mayEnd(stages, layers)) covered[to + layers] = 1;
        if (covered[from + layers] === 0) continue;
        if (mayClose && field.endsHere(next, layers, stages)) return true;
        reach = Math.max(reach, ends[layers] as number);
      }
    }
  }
  return false;
}

/**
 * Of all layouts within `capNs`, the one with the smallest sum of times; of equal ones that with the smaller bottleneck;
 * of those the first one found, in the order of the nodes.
 */
export function exactLayout(problem: Problem, capNs: number): Layout | undefined {
  const search = new Search(new Field(problem, capNs));
  return search.run();
}

/** A stage on `next` after those of the nodes in `set`, the last of which is `last`; it is the so-many-th one. */
interface Step {
  set: number;
  last: number;
  next: number;
  stages: number;
}

/** A problem under one cap, with what every step asks for at hand. */
class Field {
  readonly problem: Problem;
  readonly n: number;
  readonly capNs: number;
  /** [node][start]: where the longest run of layers ends */
  readonly ends: readonly Int16Array[];
  /** [from * n + to]: the time over the fastest link, and how long that is busy; infinite without one */
  readonly hopNs: Float64Array;
  readonly hopCarryNs: Float64Array;
  readonly closingNs: Float64Array;
  readonly closingCarryNs: Float64Array;
  /** nodes that may be the first: no twin comes before them */
  readonly heads: readonly number[];
  readonly #twinBefore: readonly number[];

  constructor(problem: Problem, capNs: number) {
    this.problem = problem;
    this.n = problem.nodes.length;
    this.capNs = capNs;
    this.ends = reachWithin(problem, capNs);
    const times = (table: Problem['hops'], figure: 'ns' | 'carryNs') =>
      Float64Array.from(
        table.flat().map((ways) => bestWay(ways, capNs)?.[figure] ?? Number.POSITIVE_INFINITY),
      );
    this.hopNs = times(problem.hops, 'ns');
    this.hopCarryNs = times(problem.hops, 'carryNs');
    this.closingNs = times(problem.closings, 'ns');
    this.closingCarryNs = times(problem.closings, 'carryNs');
    this.#twinBefore = twinsBefore(problem);
    this.heads = [...problem.nodes.keys()].filter((node) => (this.#twinBefore[node] as number) < 0);
  }

  /** Every step of layouts that begin on a node, each after all that lead to it. The object is the same each time. */
  *steps(first: number): Generator<Step> {
    const { n } = this;
    const step: Step = { set: 0, last: 0, next: 0, stages: 0 };
    for (let set = 1 << first; set < 1 << n; set++) {
      const count = bitCount(set);
      if (count >= this.problem.maxStages || !(set & (1 << first))) continue;
      for (let last = 0; last < n; last++) {
        if (!(set & (1 << last)) || (last === first && count > 1)) continue;
        for (let next = 0; next < n; next++) {
          if (!this.#mayFollow(set, next) || this.hopNs[last * n + next] === Number.POSITIVE_INFINITY)
            continue;
          yield Object.assign(step, { set, last, next, stages: count + 1 });
        }
      }
    }
  }

  /** Whether there is a link from the last stage's node back to the first one's. */
  closes(last: number, first: number): boolean {
    return this.closingNs[last * this.n + first] !== Number.POSITIVE_INFINITY;
  }

  /** Whether a node can take all layers from `start` on as the last of so many stages. */
  endsHere(node: number, start: number, stages: number): boolean {
    const { pinnedBounds, layerCount, fitsLast } = this.problem;
    if (fitsLast[node]?.[start] !== 1) return false;
    const isPinnedElsewhere =
      pinnedBounds && (pinnedBounds.length !== stages + 1 || pinnedBounds[stages - 1] !== start);
    return !isPinnedElsewhere && stageTimeNs(this.problem, node, start, layerCount) <= this.capNs;
  }

  /** Whether the so-many-th stage is not pinned to end elsewhere. */
  mayEnd(stages: number, end: number): boolean {
    const { pinnedBounds } = this.problem;
    return !pinnedBounds || pinnedBounds[stages] === end;
  }

  /** Not used yet, and not before its twin: plans that differ only by which of two twins comes first are one plan. */
  #mayFollow(set: number, node: number): boolean {
    if (set & (1 << node)) return false;
    const twin = this.#twinBefore[node] as number;
    return twin < 0 || (set & (1 << twin)) !== 0;
  }
}

/** The tables of the search for the smallest sum. A state is (set, last, covered): (set * n + last) * width + covered. */
class Search {
  readonly #field: Field;
  readonly #width: number;
  readonly #sums: Float64Array;
  readonly #maxima: Float64Array;
  /** the state before without its set, which is this one's without its last node */
  readonly #from: Int16Array;
  #bestSum = Number.POSITIVE_INFINITY;
  #bestMax = Number.POSITIVE_INFINITY;
  #best: Layout | undefined;

  constructor(field: Field) {
    this.#field = field;
    this.#width = field.problem.layerCount + 1;
    const size = (1 << field.n) * field.n * this.#width;
    this.#sums = new Float64Array(size);
    this.#maxima = new Float64Array(size);
    this.#from = new Int16Array(size);
  }

  run(): Layout | undefined {
    for (const first of this.#field.heads) {
      this.#begin(first);
      for (const step of this.#field.steps(first)) {
        this.#finish(step, first);
        this.#extend(step);
      }
    }
    return this.#best;
  }

  /** The stages that the first node may have. */
  #begin(first: number): void {
    const { problem, capNs } = this.#field;
    const { layerCount, pinnedBounds } = problem;
    if (this.#field.endsHere(first, 0, 1)) {
      const ns = stageTimeNs(problem, first, 0, layerCount);
      this.#offer(ns, ns, () => ({ order: [first], bounds: [0, layerCount] }));
    }
    this.#sums.fill(Number.POSITIVE_INFINITY);
    const row = this.#row(1 << first, first);
    for (let end = 1; end <= (this.#field.ends[first]?.[0] ?? 0); end++) {
      if (pinnedBounds && pinnedBounds[1] !== end) continue;
      const ns = stageTimeNs(problem, first, 0, end);
      if (ns > capNs) break;
      this.#sums[row + end] = this.#maxima[row + end] = ns;
      this.#from[row + end] = 0;
    }
  }

  /** The step's node takes all layers that are left, and the ring closes. */
  #finish({ set, last, next, stages }: Step, first: number): void {
    const { problem, n, hopNs, hopCarryNs, closingNs, closingCarryNs } = this.#field;
    if (!this.#field.closes(next, first)) return;
    const { layerCount } = problem;
    const row = this.#row(set, last);
    const ways = (hopNs[last * n + next] as number) + (closingNs[next * n + first] as number);
    const carry = Math.max(hopCarryNs[last * n + next] as number, closingCarryNs[next * n + first] as number);
    for (let start = stages - 1; start < layerCount; start++) {
      const sum = this.#sums[row + start] as number;
      if (sum >= this.#bestSum || !this.#field.endsHere(next, start, stages)) continue;
      const ns = stageTimeNs(problem, next, start, layerCount);
      const max = Math.max(this.#maxima[row + start] as number, carry, ns);
      this.#offer(sum + ways + ns, max, () => this.#trace(set, last, start, next));
    }
  }

  /** The step's node takes some layers more, and others come after it. */
  #extend({ set, last, next, stages }: Step): void {
    const { problem, n, hopNs, hopCarryNs, ends } = this.#field;
    const { layerCount, pinnedBounds } = problem;
    const layerNs = problem.layerNs[next] as Float64Array;
    const stageNs = problem.stageNs[next] as number;
    const hop = hopNs[last * n + next] as number;
    const carry = hopCarryNs[last * n + next] as number;
    const row = this.#row(set, last);
    const nextRow = this.#row(set | (1 << next), next);
    for (let start = stages - 1; start < layerCount; start++) {
      const sum = this.#sums[row + start] as number;
      if (sum >= this.#bestSum) continue;
      const max = Math.max(this.#maxima[row + start] as number, carry);
      const before = stageNs - (layerNs[start] as number);
      const lastEnd = ends[next]?.[start] ?? 0;
      for (let end = start + 1; end <= lastEnd; end++) {
        if (pinnedBounds && pinnedBounds[stages] !== end) continue;
        const ns = before + (layerNs[end] as number);
        const total = sum + hop + ns;
        const place = nextRow + end;
        const known = this.#sums[place] as number;
        if (total > known) continue;
        const highest = Math.max(max, ns);
        if (total === known && highest >= (this.#maxima[place] as number)) continue;
        this.#sums[place] = total;
        this.#maxima[place] = highest;
        this.#from[place] = last * this.#width + start;
      }
    }
  }

  #offer(sum: number, max: number, layout: () => Layout): void {
    if (sum > this.#bestSum || (sum === this.#bestSum && max >= this.#bestMax)) return;
    this.#bestSum = sum;
    this.#bestMax = max;
    this.#best = layout();
  }

  /** The layout whose last stage is `tail`, after the state (set, last, covered). */
  #trace(set: number, last: number, covered: number, tail: number): Layout {
    const order = [last, tail];
    const bounds = [covered, this.#field.problem.layerCount];
    for (let at = set, node = last, layer = covered; ; ) {
      const back = this.#from[this.#row(at, node) + layer] as number;
      at &= ~(1 << node);
      layer = back % this.#width;
      bounds.unshift(layer);
      if (at === 0) return { order, bounds };
      node = (back - layer) / this.#width;
      order.unshift(node);
    }
  }

  #row(set: number, last: number): number {
    return (set * this.#field.n + last) * this.#width;
  }
}

function bitCount(set: number): number {
  let count = 0;
  for (let rest = set; rest !== 0; rest &= rest - 1) count++;
  return count;
}
