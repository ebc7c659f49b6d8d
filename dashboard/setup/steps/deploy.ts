// The step that deploys the chosen model, and shows the plan that is in force then.
import { changeLines } from '../change-lines.ts';
import type { Step, StepContext } from '../step.ts';
import { fixed, StepLeft } from '../talk.ts';

export const deploy: Step = async (context) => {
  const { talk, actions, answers } = context;
  const { modelDir } = answers;
  if (modelDir !== undefined && !(await serveModel(modelDir, context))) throw new StepLeft('back');
  await talk.during('Deploying', (tell, signal) => actions.untilServing((text) => tell([{ text }]), signal));
  talk.show(fixed((await actions.plan()).split('\n')));
  await talk.choose({
    question: 'The cluster serves.',
    options: [{ value: 'on', label: 'ask it something' }],
    initial: 'on',
  });
  return answers;
};

/** A controller that the system keeps running is changed as root: asked first. @returns false when it is not wanted */
async function serveModel(dir: string, { talk, actions }: StepContext): Promise<boolean> {
  const changes = await actions.modelChanges(dir);
  if (changes.length === 0) {
    await talk.during('Starting the controller anew', () => actions.serveModel(dir));
    return true;
  }
  talk.show(changes.flatMap(changeLines));
  const wanted = await talk.choose({
    question: 'Change the system so?',
    options: [
      { value: 'yes', label: 'yes' },
      { value: 'no', label: 'no, choose another model' },
    ],
    initial: 'yes',
  });
  if (wanted === 'yes') await talk.outside(() => actions.serveModel(dir));
  return wanted === 'yes';
}
