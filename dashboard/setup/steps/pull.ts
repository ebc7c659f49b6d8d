// The step that brings the chosen model's files to the nodes. The pull is the controller's: it goes on when the wizard is
// left, and one that ended early goes on when this step is run again.
import type { PullProgress } from '../../../protocol/models.ts';
import { printable } from '../../format.ts';
import { diskBytes, percent, pullLine } from '../../pull-text.ts';
import { pullLines } from '../pull-lines.ts';
import type { Step, StepContext } from '../step.ts';
import { BLANK, type Line, linesOf } from '../talk.ts';

/** Of a pull where nobody looks: a line each time that so many hundredths more are there. */
const TOLD_PERCENT = 10;

export const pull: Step = async (context) => {
  const { talk, actions, answers } = context;
  const { model } = answers;
  if (model === undefined) {
    talk.show(linesOf(['No model was chosen: what is deployed stays, and nothing is fetched.']));
    return answers;
  }
  await endOthers(model, context);
  const name = await talk.during(`Bringing ${printable(model)} to the nodes`, (tell, signal) =>
    actions.pull(model, talk.isUnattended ? inSteps(tell) : (progress) => tell(pullLines(progress)), signal),
  );
  return { ...answers, model: name };
};

/** Two pulls share the line to the internet, and the disks. */
async function endOthers(model: string, { talk, actions }: StepContext): Promise<void> {
  if (talk.isUnattended) return;
  for (const other of await actions.pulls()) {
    if (other.model === model || other.asked === model || other.kind !== 'pull') continue;
    talk.show([
      ...linesOf([printable(pullLine(other))]),
      BLANK,
      { text: 'Another model is being fetched. The two would share the line to the internet.' },
    ]);
    const chosen = await talk.choose({
      question: `What is to become of ${printable(other.model)}?`,
      options: [
        { value: 'end', label: 'end it; what has come stays' },
        { value: 'both', label: 'fetch both' },
      ],
      initial: 'end',
    });
    if (chosen === 'end') await actions.cancelPull(other.model);
  }
}

/** Lines of output for whoever reads them later. */
function inSteps(tell: (lines: readonly Line[]) => void): (progress: PullProgress) => void {
  let told = '';
  return (progress) => {
    const { state, doneBytes, totalBytes, hubBytes, copiedBytes } = progress;
    const steps = Math.floor(percent(doneBytes, totalBytes, 100) / TOLD_PERCENT);
    const key = state === 'pulling' ? `${state} ${steps}` : state;
    if (key === told) return;
    told = key;
    const moved = `: ${diskBytes(hubBytes)} from the hub, ${diskBytes(copiedBytes)} from node to node`;
    tell(linesOf([`${pullLine(progress)}${state === 'done' ? moved : ''}`]));
  };
}
