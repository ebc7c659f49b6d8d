// Asks the planner in a thread: a plan over 64 nodes takes seconds, in which no token would pass and no heartbeat would be
// answered. A thread lives for one question; they are rare, and the memory of a search is given back with it.
import { Worker } from 'node:worker_threads';
import { asEspalierError, EspalierError, isErrorCode } from '../protocol/errors.ts';
import { PLANNER_TIMEOUT_MS } from '../protocol/limits.ts';
import type { Plan } from '../protocol/plan.ts';
import type { PlanAdvice } from './planner/advice.ts';
import type { PlanRequest } from './planner/inputs.ts';
import { type PlanAnswer, type PlanQuestion, trySolvePlan } from './planner/solve.ts';

export type PlannerTask =
  | { kind: 'solve'; question: PlanQuestion }
  | { kind: 'advise'; request: PlanRequest; plan: Plan };

/** What the thread says, once. */
export type PlannerReply = { answer: PlanAnswer | PlanAdvice } | { error: { code: string; message: string } };

/** So few nodes are planned within 10 ms (R1, unlike nodes, one core here), less than a thread takes to start. */
const INLINE_NODES = 4;

/** Tasks are done one after the other. */
export class PlannerThread {
  #last: Promise<unknown> = Promise.resolve();
  #worker: Worker | undefined;
  #isClosed = false;

  /**
   * At once for few nodes, unless nothing fits: why that is takes longer than a plan.
   * @throws EspalierError not_enough_nodes, bad_option; internal when it takes longer than PLANNER_TIMEOUT_MS
   */
  solve(question: PlanQuestion): PlanAnswer | Promise<PlanAnswer> {
    const answer = question.request.nodes.length <= INLINE_NODES ? trySolvePlan(question) : undefined;
    return answer ?? (this.#inTurn({ kind: 'solve', question }) as Promise<PlanAnswer>);
  }

  /** @throws EspalierError internal when it takes longer than PLANNER_TIMEOUT_MS */
  advise(request: PlanRequest, plan: Plan): Promise<PlanAdvice> {
    return this.#inTurn({ kind: 'advise', request, plan }) as Promise<PlanAdvice>;
  }

  /** Ends the thread; tasks that still wait are refused. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#worker?.terminate();
  }

  #inTurn(task: PlannerTask): Promise<PlanAnswer | PlanAdvice> {
    const turn = this.#last.then(() => this.#run(task));
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  async #run(task: PlannerTask): Promise<PlanAnswer | PlanAdvice> {
    if (this.#isClosed) throw new EspalierError('not_ready', 'the controller is stopping');
    const worker = new Worker(new URL('./planner-thread-entry.js', import.meta.url), { workerData: task });
    this.#worker = worker;
    const replied = Promise.withResolvers<PlannerReply>();
    const fail = (message: string) => replied.resolve({ error: { code: 'internal', message } });
    const timer = setTimeout(
      () => fail(`a plan was not found in ${PLANNER_TIMEOUT_MS / 1000} s`),
      PLANNER_TIMEOUT_MS,
    );
    worker.once('message', replied.resolve);
    worker.once('error', (error) => fail(asEspalierError(error).message));
    worker.once('exit', () => fail('the thread that plans was stopped'));
    const reply = await replied.promise;
    clearTimeout(timer);
    this.#worker = undefined;
    await worker.terminate();
    if ('answer' in reply) return reply.answer;
    const { code, message } = reply.error;
    throw new EspalierError(isErrorCode(code) ? code : 'internal', message);
  }
}
