// How the controller asks the planner: what its user wants of plans, what is known of the nodes, and that the same
// question is answered once. It decides neither when to plan nor what becomes of a plan.
import { EspalierError } from '../protocol/errors.ts';
import type { Goal, ModelCard, Plan } from '../protocol/plan.ts';
import { plannerNode, type ToldFacts } from './planner/from-facts.ts';
import type { NodeLink, PlanRequest } from './planner/inputs.ts';
import { UNKNOWN_LINK } from './planner/links.ts';
import { type Measurements, measuredLayers } from './planner/measurements.ts';
import { costOf, type FoundPlan, findPlan, noPlan } from './planner/planner.ts';
import { isBetterEnough } from './planner/stability.ts';

/** What the user of a controller wants of its plans. */
export interface Planning {
  goal: Goal;
  /** KV for `streams` conversations of `contextTokens` each must fit beside the weights */
  contextTokens: number;
  streams: number;
  /** layers of each stage in turn */
  layers?: readonly number[] | undefined;
  /** names of nodes that are never used */
  exclude?: readonly string[] | undefined;
}

/** What is known of the nodes when a plan is made. */
export interface Known {
  nodes: readonly ToldFacts[];
  /** between nodes, as measured; two nodes without one have the planner's default */
  links: readonly NodeLink[];
  measurements: Measurements;
}

/** The question that a plan answers, with everything that is known now. */
export function planRequest(
  card: ModelCard,
  { nodes: told, links, measurements }: Known,
  planning: Planning,
  maxStages: number | undefined,
): PlanRequest {
  const { goal, streams, layers, exclude = [] } = planning;
  const nodes = told
    .filter(({ facts }) => !exclude.includes(facts.name))
    .map((each) => {
      const node = plannerNode(each);
      return { ...node, measured: structuredClone(measuredLayers(measurements, node.chip, card)) };
    });
  return {
    card,
    nodes,
    links,
    otherLink: UNKNOWN_LINK,
    goal,
    contextTokens: Math.min(card.contextTokens, planning.contextTokens),
    streams,
    maxStages,
    pins: { layers },
  };
}

/** The last answer, kept while the question is the same: nodes are looked at four times a second. */
export class PlanMemo {
  #key = '';
  #answer: FoundPlan | EspalierError | undefined;
  #isBetter: boolean | undefined;

  /**
   * @param epoch of the last deployment: from one to the next, plans are made from the measurements of the first question
   * @throws EspalierError not_enough_nodes, bad_option
   */
  plan(epoch: number, request: PlanRequest): FoundPlan {
    const found = this.#ask(epoch, request);
    if (found instanceof EspalierError) throw found;
    return found;
  }

  /**
   * The same, where there is one that is worth replacing the plan in force; both are judged by the same measurements.
   * @param inForce of this epoch
   */
  betterPlan(epoch: number, request: PlanRequest, inForce: Plan): FoundPlan | undefined {
    const next = this.#ask(epoch, request);
    if (next instanceof EspalierError) return undefined;
    this.#isBetter ??= isBetterEnough(costOf(next.request, inForce), next, request.goal);
    return this.#isBetter ? next : undefined;
  }

  #ask(epoch: number, request: PlanRequest): FoundPlan | EspalierError {
    const { card, nodes, ...rest } = request;
    const unmeasured = nodes.map(({ measured, ...node }) => node);
    const key = JSON.stringify([epoch, card.layerBytes, rest, unmeasured]);
    if (key !== this.#key || !this.#answer) {
      this.#answer = answer(request);
      this.#isBetter = undefined;
      this.#key = key;
    }
    return this.#answer;
  }
}

function answer(request: PlanRequest): FoundPlan | EspalierError {
  try {
    return findPlan(request) ?? noPlan(request);
  } catch (error) {
    if (error instanceof EspalierError) return error;
    throw error;
  }
}
