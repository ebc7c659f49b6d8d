// The step that deploys the chosen model, and shows the plan that is in force then.
import { printable } from '../../format.ts';
import type { Step } from '../step.ts';
import { fixed } from '../talk.ts';

export const deploy: Step = async ({ talk, actions, answers }) => {
  const { model } = answers;
  const what = model === undefined ? 'Deploying' : `Deploying ${printable(model)}`;
  await talk.during(what, (tell, signal) => {
    const say = (text: string) => tell([{ text }]);
    return model === undefined ? actions.untilServing(say, signal) : actions.deployModel(model, say, signal);
  });
  talk.show(fixed((await actions.plan()).split('\n')));
  await talk.choose({
    question: 'The cluster serves.',
    options: [{ value: 'on', label: 'ask it something' }],
    initial: 'on',
  });
  return answers;
};
