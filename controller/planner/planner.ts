// Pure: a request in, the best plan out. Chooses the nodes, their order, the layers of each and the link of each hop.
// It must not know where nodes and times come from, nor what a plan is used for.
import type { EspalierError } from '../../protocol/errors.ts';
import type { Plan } from '../../protocol/plan.ts';
import { beamCover, beamLayout, MAX_BEAM_NODES } from './beam.ts';
import { bottleneckTimes, smallestFeasible } from './bottleneck.ts';
import {
  apartRequest,
  apartTokenNs,
  asApart,
  asBeside,
  betterDraft,
  fastestApart,
  placeDraft,
} from './draft-place.ts';
import { coverExists, exactLayout, MAX_EXACT_NODES } from './exact.ts';
import { heuristicLayout } from './heuristic.ts';
import type { PlannerNode, PlanRequest } from './inputs.ts';
import { plannedKvTokens, rangeBytes, scratchBytes } from './memory.ts';
import { checkPins, pinnedNodes } from './pins.ts';
import { type Layout, layoutCost, layoutWays, type Problem, problemOf } from './problem.ts';
import { shortageError } from './shortage.ts';
import { type StageEnds, splitOrder } from './split.ts';
import type { PlanCost } from './stability.ts';

/**
 * The best plan for a request. throughput: the slowest stage (or the busiest link) is as fast as it can be, then the sum of
 * all stages and hops is the smallest; latency: the other way round, or, where tokens are guessed ahead, what a token then
 * takes. Of equal plans the one whose fullest node is the
 * emptiest, then the one whose nodes come first by name.
 *
 * Exact over all subsets and orders of up to MAX_EXACT_NODES nodes, all splits and all links, or over all splits of pinned
 * nodes. Of more nodes, up to MAX_BEAM_NODES (those with the most room), a beam search: a plan that holds, not proven best.
 * @throws EspalierError not_enough_nodes with the missing memory and what would do; bad_option for pins that cannot be kept
 */
export function makePlan(request: PlanRequest): Plan {
  const found = findPlan(request);
  if (found) return found.plan;
  throw noPlan(request);
}

/** Why there is no plan for a request, and what would do: not_enough_nodes, nodes_unlinked. */
export function noPlan(request: PlanRequest): EspalierError {
  return shortageError(request, planFits);
}

/** Whether there is any plan for a request. @throws EspalierError bad_option for pins that cannot be kept */
export function planFits(request: PlanRequest): boolean {
  checkPins(request);
  const nodes = usableNodes(request);
  if (nodes.length === 0) return false;
  const isSmall = nodes.length <= MAX_EXACT_NODES;
  const space = { order: orderOf(request, nodes), isSmall };
  const problem = problemOf(request, nodes);
  if (feasibility(problem, space)(Number.POSITIVE_INFINITY)) return true;
  return lastResort(space) !== undefined && beamLayout(problem, Number.POSITIVE_INFINITY) !== undefined;
}

export interface FoundPlan extends PlanCost {
  plan: Plan;
  /** proven to be the best under the cost model */
  isExact: boolean;
}

/**
 * The same with what it costs.
 * @param maxExactNodes more nodes are searched by heuristics
 * @returns undefined where no plan fits
 * @throws EspalierError bad_option for pins that cannot be kept
 */
export function findPlan(request: PlanRequest, maxExactNodes = MAX_EXACT_NODES): FoundPlan | undefined {
  if (!request.card.draft) return findStages(request, maxExactNodes);
  const beside = asBeside(request, findStages(request, maxExactNodes));
  if (request.draftPlace === 'head') return beside;
  const stagesOf = (asked: PlanRequest) => asApart(request, findStages(asked, maxExactNodes));
  const asked = apartRequest(request);
  const apart = stagesOf(asked);
  // one stream may gain more by a node that only drafts than by one more stage
  const fewer = (apart?.plan.stages.length ?? 0) - 1;
  const isSpared = request.goal === 'latency' && fewer > 0 && !request.pins?.layers;
  const spared = isSpared ? stagesOf({ ...asked, maxStages: fewer }) : undefined;
  return betterDraft(request, beside, fastestApart(request, [apart, spared]));
}

/** The stages of the best plan, the first of them with the card's draft. */
function findStages(request: PlanRequest, maxExactNodes: number): FoundPlan | undefined {
  checkPins(request);
  const nodes = usableNodes(request);
  if (nodes.length === 0) return undefined;
  const problem = problemOf(request, nodes);
  const order = orderOf(request, nodes);
  const isSmall = nodes.length <= maxExactNodes;
  const found = search(problem, request.goal, { order, isSmall });
  return found && foundPlan(request, problem, found, order !== undefined || isSmall);
}

/**
 * The best split of the layers over these nodes in this order.
 * @param nodeIds first stage first
 * @param isApart whether the card's draft is on a node of its own
 * @param ends where stages may end; undefined: anywhere
 * @returns undefined where none fits, or a node may not be used
 */
export function planInOrder(
  request: PlanRequest,
  nodeIds: readonly string[],
  isApart: boolean,
  ends?: StageEnds,
): FoundPlan | undefined {
  if (isApart) return asApart(request, planInOrder(apartRequest(request), nodeIds, false, ends));
  const nodes = usableNodes(request);
  const order = nodeIds.map((nodeId) => nodes.findIndex(({ id }) => id === nodeId));
  if (order.includes(-1)) return undefined;
  const problem = problemOf(request, nodes);
  if (order.length > problem.maxStages) return undefined;
  const found = search(problem, request.goal, { order, ends, isSmall: true });
  return found && asBeside(request, foundPlan(request, problem, found, false));
}

function foundPlan(
  request: PlanRequest,
  problem: Problem,
  { layout, capNs }: { layout: Layout; capNs: number },
  isExact: boolean,
): FoundPlan {
  const cost = layoutCost(problem, layout, capNs);
  if (!cost) throw new Error('the planner has found a layout that does not hold');
  return { plan: planOf(request, problem, layout, capNs), ...cost, isExact };
}

/** What a plan costs today. @returns undefined where it does not hold any more: a node is gone, or something does not fit */
export function costOf(request: PlanRequest, plan: Plan): PlanCost | undefined {
  if (plan.draft?.place === 'apart' && request.card.draft) {
    const { draft: _, ...stages } = plan;
    const cost = costOf(apartRequest(request), stages);
    if (!cost) return undefined;
    const isThere = request.nodes.some(({ id }) => id === plan.draft?.nodeId);
    // where its node is gone it runs elsewhere, as long as another one can
    const drafted = isThere ? plan : placeDraft(request, stages, { keepsKv: true });
    return { ...cost, tokenNs: drafted ? apartTokenNs(request, drafted, cost) : cost.sumNs };
  }
  const problem = problemOf(request, request.nodes);
  const order = plan.stages.map(({ nodeId }) => request.nodes.findIndex(({ id }) => id === nodeId));
  if (order.includes(-1)) return undefined;
  return layoutCost(problem, { order, bounds: [0, ...plan.stages.map(({ range }) => range.end)] });
}

/** Limits of the slowest stage that are tried, from the smallest there can be to that of the fastest way. */
const GUESSED_LIMITS = [0, 0.25, 0.5, 0.75];

interface SearchSpace {
  /** the nodes in this order; undefined: any of them in any order */
  order: readonly number[] | undefined;
  /** where stages of that order may end */
  ends?: StageEnds | undefined;
  /** few enough nodes for all orders */
  isSmall: boolean;
}

/** A plan with the links that its hops would take today; where one is missing, as it is. */
export function withLinksOfToday(request: PlanRequest, plan: Plan): Plan {
  const problem = problemOf(request, request.nodes);
  const order = plan.stages.map(({ nodeId }) => request.nodes.findIndex(({ id }) => id === nodeId));
  const ways = order.includes(-1) ? undefined : layoutWays(problem, order, Number.POSITIVE_INFINITY);
  return ways ? { ...plan, links: ways.map(({ link }) => link) } : plan;
}

/** @returns the layout, and how long its links may be busy at most, which decides between several of them */
function search(
  problem: Problem,
  goal: PlanRequest['goal'],
  space: SearchSpace,
): { layout: Layout; capNs: number } | undefined {
  const { order, ends, isSmall } = space;
  const best = (capNs: number): Layout | undefined => {
    if (order) return splitOrder(problem, order, capNs, ends);
    const found = isSmall ? exactLayout(problem, capNs) : heuristicLayout(problem, capNs);
    // the same sum and bottleneck, with the memory spread as evenly as they allow
    const limit = found && goal === 'latency' ? layoutCost(problem, found, capNs)?.maxNs : capNs;
    return found && (splitOrder(problem, found.order, limit ?? capNs) ?? found);
  };
  const smallestCap = () =>
    smallestFeasible(bottleneckTimes(problem), feasibility(problem, space)) ?? lastResort(space);
  const capNs = goal === 'latency' ? Number.POSITIVE_INFINITY : smallestCap();
  const layout = capNs === undefined ? undefined : best(capNs);
  if (!layout || capNs === undefined) return undefined;
  const found = { layout, capNs };
  if (problem.guessYield === 0) return found;
  return bestGuessed(problem, found, smallestCap(), best);
}

/**
 * With guesses a token waits for the slowest stage as well as for all of them: of the fastest ways through all stages under
 * several limits of the slowest one, the best.
 */
function bestGuessed(
  problem: Problem,
  fastest: { layout: Layout; capNs: number },
  smallestCapNs: number | undefined,
  best: (capNs: number) => Layout | undefined,
): { layout: Layout; capNs: number } {
  const maxNs = layoutCost(problem, fastest.layout, fastest.capNs)?.maxNs;
  if (smallestCapNs === undefined || maxNs === undefined) return fastest;
  let chosen = {
    found: fastest,
    tokenNs: layoutCost(problem, fastest.layout)?.tokenNs ?? Number.POSITIVE_INFINITY,
  };
  for (const share of GUESSED_LIMITS) {
    const capNs = smallestCapNs + share * (maxNs - smallestCapNs);
    const layout = capNs < maxNs ? best(capNs) : undefined;
    const tokenNs = layout && layoutCost(problem, layout, capNs)?.tokenNs;
    if (layout && tokenNs !== undefined && tokenNs < chosen.tokenNs)
      chosen = { found: { layout, capNs }, tokenNs };
  }
  return chosen.found;
}

/** A beam that lets every stage take all it can may find nothing where one that tries everything does. */
function lastResort({ order, isSmall }: SearchSpace): number | undefined {
  return order || isSmall ? undefined : Number.POSITIVE_INFINITY;
}

/** Whether there is a layout within a bottleneck. */
function feasibility(problem: Problem, { order, ends, isSmall }: SearchSpace): (capNs: number) => boolean {
  if (order) return (capNs) => splitOrder(problem, order, capNs, ends) !== undefined;
  if (isSmall) return (capNs) => coverExists(problem, capNs);
  return (capNs) => beamCover(problem, capNs) !== undefined;
}

/** Those that may be used, by name, then id: the same nodes give the same plan, whoever was found first. */
function usableNodes(request: PlanRequest): PlannerNode[] {
  const excluded = new Set(request.pins?.exclude);
  const pinned = pinnedNodes(request);
  const nodes = (pinned ?? request.nodes).filter((node) => !excluded.has(node.id)).sort(byName);
  if (nodes.length <= MAX_BEAM_NODES) return nodes;
  return [...nodes]
    .sort((a, b) => b.usableBytes - a.usableBytes || byName(a, b))
    .slice(0, MAX_BEAM_NODES)
    .sort(byName);
}

/** Pinned nodes by their number, in their order. */
function orderOf(request: PlanRequest, nodes: readonly PlannerNode[]): number[] | undefined {
  return pinnedNodes(request)?.map((pinned) => nodes.indexOf(pinned));
}

function byName(a: PlannerNode, b: PlannerNode): number {
  return a.name.localeCompare(b.name, 'en', { numeric: true }) || (a.id < b.id ? -1 : 1);
}

function planOf(request: PlanRequest, problem: Problem, { order, bounds }: Layout, capNs: number): Plan {
  const { card, goal, streams, contextTokens } = request;
  const placed = order.map((number, index) => ({
    node: problem.nodes[number] as PlannerNode,
    range: { start: bounds[index] as number, end: bounds[index + 1] as number },
  }));
  return {
    engine: 'node-mlx',
    modelId: card.id,
    goal,
    streams,
    contextTokens,
    stages: placed.map(({ node, range }, index) => ({
      index,
      nodeId: node.id,
      range,
      weightBytes: rangeBytes(card, range),
    })),
    links: (layoutWays(problem, order, capNs) ?? []).map(({ link }) => link),
    prefillBytes: Math.min(...placed.map(({ node }) => scratchBytes(node))),
    kvTokens: plannedKvTokens(card, placed),
  };
}
