// The thread of planner-thread.ts: does the one task that it was started with, says what came of it, and ends.
import { parentPort, workerData } from 'node:worker_threads';
import { asEspalierError } from '../protocol/errors.ts';
import { advise } from './planner/advice.ts';
import { solvePlan } from './planner/solve.ts';
import type { PlannerReply, PlannerTask } from './planner-thread.ts';

function replyTo(task: PlannerTask): PlannerReply {
  try {
    return { answer: task.kind === 'solve' ? solvePlan(task.question) : advise(task.request, task.plan) };
  } catch (error) {
    const { code, message } = asEspalierError(error);
    return { error: { code, message } };
  }
}

parentPort?.postMessage(replyTo(workerData as PlannerTask));
