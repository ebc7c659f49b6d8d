// Says what a model that is to be deployed waits for, until it answers.
import { followSwitch } from './follow-switch.ts';

/** @throws what `followSwitch` throws */
export async function watchSwitch(controllerUrl: string, model: string, isJson: boolean): Promise<void> {
  let said = '';
  await followSwitch(controllerUrl, model, (text) => {
    if (text !== said && !isJson) process.stderr.write(`${text}\n`);
    said = text;
  });
  if (!isJson) console.log(`${model} answers.`);
}
