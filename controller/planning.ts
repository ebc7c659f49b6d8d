// How the controller asks the planner: what its user wants of plans, what is known of the nodes, and that the same
// question is answered once. It decides neither when to plan nor what becomes of a plan.
import { asEspalierError, EspalierError } from '../protocol/errors.ts';
import type { DraftPlace, EngineChoice, Goal, ModelCard, Plan } from '../protocol/plan.ts';
import type { EngineState, Split } from '../protocol/ranks.ts';
import { plannerNode, type ToldFacts } from './planner/from-facts.ts';
import type { NodeLink, NodePair, PlanRequest } from './planner/inputs.ts';
import { UNKNOWN_LINK } from './planner/links.ts';
import { type Measurements, measuredDraft, measuredLayers } from './planner/measurements.ts';
import type { FoundPlan } from './planner/planner.ts';
import { type PlanAnswer, type PlanQuestion, solvePlan } from './planner/solve.ts';

/** What the user of a controller wants of its plans. */
export interface Planning {
  goal: Goal;
  /** KV for `streams` conversations of `contextTokens` each must fit beside the weights */
  contextTokens: number;
  streams: number;
  /** the share of guesses that is taken to be right; nothing is guessed when undefined */
  guessYield?: number | undefined;
  /** where a draft runs; undefined: wherever one stream is predicted to be faster with it */
  draftPlace?: DraftPlace | undefined;
  /** layers of each stage in turn */
  layers?: readonly number[] | undefined;
  /** left out: node-mlx */
  engine?: { choice: EngineChoice; split?: Split | undefined } | undefined;
  /** names of nodes that are never used */
  exclude?: readonly string[] | undefined;
}

/** What is known of the nodes when a plan is made. */
export interface Known {
  nodes: readonly (ToldFacts & { engine?: EngineState | undefined })[];
  /** between nodes, as measured; two nodes without one have the planner's default */
  links: readonly NodeLink[];
  /** those that do not reach one another */
  unlinked?: readonly NodePair[] | undefined;
  measurements: Measurements;
}

/** The question that a plan answers, with everything that is known now. */
export function planRequest(
  card: ModelCard,
  { nodes: told, links, unlinked, measurements }: Known,
  planning: Planning,
  maxStages: number | undefined,
): PlanRequest {
  const { goal, streams, guessYield, draftPlace, layers, exclude = [] } = planning;
  const nodes = told
    .filter(({ facts }) => !exclude.includes(facts.name))
    .map((each) => {
      const node = plannerNode(each);
      const measured = structuredClone(measuredLayers(measurements, node.chip, card));
      return { ...node, measured, measuredDraft: measuredDraft(measurements, node.chip, card) };
    });
  return {
    card,
    nodes,
    links,
    otherLink: UNKNOWN_LINK,
    unlinked,
    goal,
    contextTokens: Math.min(card.contextTokens, planning.contextTokens),
    streams,
    guessYield,
    draftPlace,
    maxStages,
    pins: { layers },
    ...(planning.engine && {
      engine: {
        ...planning.engine,
        readyNodes: told.filter(({ engine }) => engine?.state === 'ready').map(({ facts }) => facts.id),
      },
    }),
  };
}

/** Answers a question, at once or later. @throws EspalierError not_enough_nodes, bad_option */
export type PlanSolver = (question: PlanQuestion) => PlanAnswer | Promise<PlanAnswer>;

/**
 * The last answer, kept while the question is the same: nodes are looked at four times a second. Where an answer takes its
 * time there is none until then, and whoever needs it asks again; one question is being answered at a time.
 */
export class PlanMemo {
  readonly #solve: PlanSolver;
  #key = '';
  #answer: PlanAnswer | EspalierError | undefined;
  #isThinking = false;

  constructor(solve: PlanSolver = solvePlan) {
    this.#solve = solve;
  }

  /**
   * The plan to deploy where none is in force.
   * @param epoch of the last deployment: from one to the next, plans are made from the measurements of the first question
   * @param before the plan that was in force last: what its stages have loaded is kept where that costs little
   * @returns undefined while it is thought about
   * @throws EspalierError not_enough_nodes, bad_option
   */
  plan(epoch: number, request: PlanRequest, before?: Plan): FoundPlan | undefined {
    const answer = this.#ask(epoch, { request, before });
    if (answer instanceof EspalierError) throw answer;
    return answer?.plan;
  }

  /**
   * A plan that is worth replacing the one in force; both are judged by the same measurements.
   * @param inForce of this epoch
   * @returns `none` where there is none; undefined while it is thought about, and where it cannot be told
   */
  betterPlan(epoch: number, request: PlanRequest, inForce: Plan): FoundPlan | 'none' | undefined {
    const answer = this.#ask(epoch, { request, before: inForce });
    return answer instanceof EspalierError ? undefined : answer && (answer.better ?? 'none');
  }

  #ask(epoch: number, question: PlanQuestion): PlanAnswer | EspalierError | undefined {
    const { card, nodes, ...rest } = question.request;
    const unmeasured = nodes.map(({ measured, measuredDraft, ...node }) => node);
    const key = JSON.stringify([epoch, card.layerBytes, rest, unmeasured, question.before]);
    const known = key === this.#key ? this.#answer : undefined;
    // a defect is told once, then tried again
    if (known instanceof EspalierError && known.code === 'internal') this.#key = '';
    if (known || this.#isThinking) return known;
    this.#key = key;
    this.#answer = undefined;
    try {
      const answer = this.#solve(question);
      if (answer instanceof Promise) this.#await(answer);
      else this.#answer = answer;
    } catch (error) {
      if (!(error instanceof EspalierError)) throw error;
      this.#answer = error;
    }
    return this.#answer;
  }

  #await(answer: Promise<PlanAnswer>): void {
    this.#isThinking = true;
    const take = (result: PlanAnswer | EspalierError) => {
      this.#answer = result;
      this.#isThinking = false;
    };
    answer.then(take, (error) => take(asEspalierError(error)));
  }
}
