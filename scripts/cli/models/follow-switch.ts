// Waits until a model that is to be deployed answers. It prints nothing.
import { setTimeout as delay } from 'node:timers/promises';
import { EspalierError, isErrorCode } from '../../../protocol/errors.ts';
import { DEPLOYMENT_PATH, DeploymentReport } from '../../../protocol/models.ts';
import { ClusterStatus, STATUS_PATH } from '../../../protocol/status.ts';
import { askModels } from './ask-models.ts';

const POLL_MS = 500;

/**
 * Follows a switch to its end.
 * @param model its whole name
 * @param onWait told twice a second what it waits for
 * @param signal ends the wait, not the switch
 * @throws EspalierError with why it could not be deployed; what `askController` throws; the signal's reason
 */
export async function followSwitch(
  controllerUrl: string,
  model: string,
  onWait: (reason: string) => void,
  signal?: AbortSignal,
): Promise<void> {
  for (;;) {
    const deployment = await askModels(controllerUrl, DEPLOYMENT_PATH, DeploymentReport);
    const status = await askModels(controllerUrl, STATUS_PATH, ClusterStatus);
    const isChosen = deployment.model === model && deployment.switchingTo === null;
    if (isChosen && status.state === 'serving' && status.model?.id === model) return;
    const { failure } = deployment;
    if (!isChosen && deployment.switchingTo === null && failure)
      throw new EspalierError(isErrorCode(failure.code) ? failure.code : 'internal', failure.message);
    // somebody else's switch came after this one, which nothing brings back
    if (!isChosen && deployment.switchingTo === null)
      throw new EspalierError('not_ready', `${deployment.model} is deployed instead of ${model}`);
    if (isChosen && status.state === 'degraded')
      throw new EspalierError('not_ready', `${model} is not served: ${status.reason ?? 'no reason is told'}`);
    onWait(isChosen ? (status.reason ?? 'deploying') : `preparing ${model}`);
    await delay(POLL_MS, undefined, { signal });
  }
}
