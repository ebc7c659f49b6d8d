// The thread of planner-thread.ts: answers each task by what came of it.
import { parentPort } from 'node:worker_threads';
import { asEspalierError } from '../protocol/errors.ts';
import type { JobAnswer } from './job-thread.ts';
import { advise, type PlanAdvice } from './planner/advice.ts';
import { type PlanAnswer, solvePlan } from './planner/solve.ts';
import type { PlannerTask } from './planner-thread.ts';

function answerTo(task: PlannerTask): JobAnswer<PlanAnswer | PlanAdvice> {
  try {
    return { value: task.kind === 'solve' ? solvePlan(task.question) : advise(task.request, task.plan) };
  } catch (error) {
    const { code, message } = asEspalierError(error);
    return { error: message, code };
  }
}

parentPort?.on('message', (task: PlannerTask) => parentPort?.postMessage(answerTo(task)));
