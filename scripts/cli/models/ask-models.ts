// The model store by the controller's API. It prints nothing.
import { setTimeout as delay } from 'node:timers/promises';
import type { z } from 'zod';
import { isPulling } from '../../../dashboard/pull-text.ts';
import { EspalierError, isErrorCode } from '../../../protocol/errors.ts';
import { MODELS_PATH, ModelsReport, type PullProgress } from '../../../protocol/models.ts';
import { ClusterStatus, STATUS_PATH } from '../../../protocol/status.ts';
import { askController } from '../ask-controller.ts';

/** Asking the hub, removing files and planning for every model of the catalogue take seconds. */
const ANSWER_TIMEOUT_MS = 120_000;
const POLL_MS = 500;

/** @throws what `askController` throws */
export async function askModels<T>(
  controllerUrl: string,
  path: string,
  schema: z.ZodType<T>,
  body?: object,
): Promise<T> {
  const question = { path, schema, what: 'models', timeoutMs: ANSWER_TIMEOUT_MS };
  return (await askController(controllerUrl, body ? { ...question, body } : question)).data;
}

/**
 * Follows a pull to its end.
 * @param onProgress told twice a second
 * @param signal ends the following, not the pull
 * @throws EspalierError with what ended it; what `askController` throws; the signal's reason
 */
export async function followPull(
  controllerUrl: string,
  { id }: Pick<PullProgress, 'id'>,
  onProgress: (pull: PullProgress) => void,
  signal?: AbortSignal,
): Promise<PullProgress> {
  for (;;) {
    // the status is cheaper to ask for, and leaves out the nodes of what has ended
    const { pulls: shown } = await askModels(controllerUrl, STATUS_PATH, ClusterStatus);
    const running = shown?.find((each) => each.id === id && isPulling(each));
    const { pulls } = running
      ? { pulls: [running] }
      : await askModels(controllerUrl, MODELS_PATH, ModelsReport);
    const pull = pulls.find((each) => each.id === id);
    if (!pull)
      throw new EspalierError(
        'not_ready',
        'the controller was started anew: pull again, it goes on where it ended',
      );
    onProgress(pull);
    const { state, failure } = pull;
    if (failure)
      throw new EspalierError(
        isErrorCode(failure.code) ? failure.code : 'model_fetch_failed',
        failure.message,
      );
    if (state === 'cancelled')
      throw new EspalierError('model_fetch_failed', `the pull of ${pull.model} was cancelled`);
    if (state === 'done') return pull;
    await delay(POLL_MS, undefined, { signal });
  }
}
