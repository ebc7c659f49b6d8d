// What the planner says of this cluster as it is now, for people and for other models than the deployed one. It decides
// nothing: which plan is deployed, and when, is the heart's business.
import { EspalierError } from '../protocol/errors.ts';
import type { ModelCard, Plan } from '../protocol/plan.ts';
import type { PlanReport } from '../protocol/plan-report.ts';
import { requestInForce } from './cluster/deploying.ts';
import { type Cluster, clusterReason } from './cluster/state.ts';
import { PlanReports } from './plan-reports.ts';
import type { PlanRequest } from './planner/inputs.ts';
import { PlannerThread } from './planner-thread.ts';
import { planRequest } from './planning.ts';

export class ClusterPlans {
  readonly #cluster: Cluster;
  /** of its own: a new plan does not wait for what would make the old one better */
  readonly #adviser = new PlannerThread();
  readonly #reports = new PlanReports((request, plan) => this.#adviser.advise(request, plan));

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  /**
   * The plan in force with its reasons.
   * @param measuredYield the share of guesses that was right so far; undefined before anything was guessed
   * @throws EspalierError not_ready while there is none
   */
  report(measuredYield: number | undefined): Promise<PlanReport> {
    const { deployment } = this.#cluster;
    const request = requestInForce(this.#cluster);
    if (deployment && request) return this.#reports.report(deployment, request, measuredYield);
    const reason = clusterReason(this.#cluster) ?? 'it is stopping';
    return Promise.reject(new EspalierError('not_ready', `there is no plan: ${reason}`));
  }

  /**
   * What a plan for a model would be made from, with what is known of the nodes that are connected.
   * @param guessYield the share of guesses that is taken to be right for it
   */
  requestFor(card: ModelCard, guessYield?: number): PlanRequest {
    const { nodes, drained, links, unlinked, measurements, wantedNodes } = this.#cluster;
    const planning = { ...this.#cluster.planning, guessYield };
    const known = {
      nodes: [...nodes.values()].filter(({ connected, facts }) => connected && !drained.has(facts.id)),
      links,
      unlinked,
      measurements,
    };
    return planRequest(card, known, planning, wantedNodes);
  }

  /** What a plan is judged by: the one in force with its own nodes, also those that are drained. */
  requestBehind(card: ModelCard, plan: Plan): PlanRequest {
    const inForce = plan === this.inForce(card.id) ? requestInForce(this.#cluster) : undefined;
    return inForce ?? this.requestFor(card);
  }

  /**
   * The best plan for a model over the nodes that are connected.
   * @param before a plan whose files were fetched: it is kept where that costs little
   * @param guessYield as for `requestFor`
   * @throws EspalierError not_enough_nodes, bad_option
   */
  async planFor(card: ModelCard, before?: Plan, guessYield?: number): Promise<Plan> {
    const request = this.requestFor(card, guessYield);
    return (await this.#adviser.solve({ request, before: usable(before, request) })).plan.plan;
  }

  /** The plan of the deployment, where it is of this model. */
  inForce(modelId: string): Plan | undefined {
    const { card, deployment } = this.#cluster;
    return card.id === modelId ? deployment?.plan : undefined;
  }

  /** Ends what is thought about. */
  close(): Promise<void> {
    return this.#adviser.close();
  }
}

/** A plan over nodes of which one is gone, or of another model, is nothing to keep to. */
function usable(plan: Plan | undefined, { nodes, card }: PlanRequest): Plan | undefined {
  const isThere = plan?.stages.every(({ nodeId }) => nodes.some(({ id }) => id === nodeId));
  return isThere && plan?.modelId === card.id ? plan : undefined;
}
