// Asks the planner in a thread: a plan over 64 nodes takes seconds, in which no token would pass and no heartbeat would be
// answered. A thread lives for one question; they are rare, and the memory of a search is given back with it.
import { EspalierError, isErrorCode } from '../protocol/errors.ts';
import { PLANNER_TIMEOUT_MS } from '../protocol/limits.ts';
import type { Plan } from '../protocol/plan.ts';
import { JobThread } from './job-thread.ts';
import type { PlanAdvice } from './planner/advice.ts';
import type { PlanRequest } from './planner/inputs.ts';
import { type PlanAnswer, type PlanQuestion, trySolvePlan } from './planner/solve.ts';

export type PlannerTask =
  | { kind: 'solve'; question: PlanQuestion }
  | { kind: 'advise'; request: PlanRequest; plan: Plan };

/** So few nodes are planned within 10 ms (R1, unlike nodes, one core here), less than a thread takes to start. */
const INLINE_NODES = 4;

/** Tasks are done one after the other. */
export class PlannerThread {
  readonly #thread = new JobThread<PlannerTask, PlanAnswer | PlanAdvice>({
    entry: new URL('./planner-thread-entry.js', import.meta.url),
    workerData: undefined,
    name: 'thread that plans',
    timeoutMs: PLANNER_TIMEOUT_MS,
    tooLong: () => new EspalierError('internal', `a plan was not found in ${PLANNER_TIMEOUT_MS / 1000} s`),
    refused: (message, code = '') => new EspalierError(isErrorCode(code) ? code : 'internal', message),
    endsAfter: 'every job',
  });

  /**
   * At once for few nodes, unless nothing fits: why that is takes longer than a plan.
   * @throws EspalierError not_enough_nodes, bad_option; internal when it takes longer than PLANNER_TIMEOUT_MS; not_ready
   *   when it is closed
   */
  solve(question: PlanQuestion): PlanAnswer | Promise<PlanAnswer> {
    const answer = question.request.nodes.length <= INLINE_NODES ? trySolvePlan(question) : undefined;
    return answer ?? (this.#thread.run({ kind: 'solve', question }) as Promise<PlanAnswer>);
  }

  /** @throws EspalierError internal when it takes longer than PLANNER_TIMEOUT_MS; not_ready when it is closed */
  advise(request: PlanRequest, plan: Plan): Promise<PlanAdvice> {
    return this.#thread.run({ kind: 'advise', request, plan }) as Promise<PlanAdvice>;
  }

  /** Ends the thread; tasks that still wait are refused. */
  close(): Promise<void> {
    return this.#thread.close();
  }
}
