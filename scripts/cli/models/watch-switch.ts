// Waits until a model that is to be deployed answers, and says what it waits for.
import { setTimeout as delay } from 'node:timers/promises';
import { EspalierError, isErrorCode } from '../../../protocol/errors.ts';
import { DEPLOYMENT_PATH, DeploymentReport } from '../../../protocol/models.ts';
import { ClusterStatus, STATUS_PATH } from '../../../protocol/status.ts';
import { askModels } from './ask-models.ts';

const POLL_MS = 500;

/** @throws EspalierError with why it could not be deployed; what `askController` throws */
export async function watchSwitch(controllerUrl: string, model: string, isJson: boolean): Promise<void> {
  let said = '';
  const say = (text: string) => {
    if (text !== said && !isJson) process.stderr.write(`${text}\n`);
    said = text;
  };
  for (;;) {
    const deployment = await askModels(controllerUrl, DEPLOYMENT_PATH, DeploymentReport);
    const status = await askModels(controllerUrl, STATUS_PATH, ClusterStatus);
    const isChosen = deployment.model === model && deployment.switchingTo === null;
    if (isChosen && status.state === 'serving' && status.model?.id === model) {
      if (!isJson) console.log(`${model} answers.`);
      return;
    }
    const { failure } = deployment;
    if (!isChosen && deployment.switchingTo === null && failure)
      throw new EspalierError(isErrorCode(failure.code) ? failure.code : 'internal', failure.message);
    if (isChosen && status.state === 'degraded')
      throw new EspalierError('not_ready', `${model} is not served: ${status.reason ?? 'no reason is told'}`);
    say(isChosen ? (status.reason ?? 'deploying') : `preparing ${model}`);
    await delay(POLL_MS);
  }
}
