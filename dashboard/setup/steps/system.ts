// The step of this machine's own settings: each change as its exact commands, made only when it is wanted.
import { formatPlural } from '../../format.ts';
import type { ProposedChange } from '../actions.ts';
import { changeLines } from '../change-lines.ts';
import type { Step, StepContext } from '../step.ts';
import { BLANK, type Line } from '../talk.ts';

export const system: Step = async (context) => {
  const { talk, actions, answers } = context;
  const proposals = await talk.during('Looking at the settings of this machine', () => actions.proposals());
  let yesToAll = false;
  const made: Line[] = [];
  for (const [index, proposal] of proposals.entries()) {
    const rest = proposals.length - index;
    const chosen: string = yesToAll ? 'yes' : await ask(context, proposal, rest, made);
    yesToAll ||= chosen === 'all';
    const { description } = proposal.change;
    if (chosen === 'no') {
      made.push({ text: `○ not: ${description}`, tone: 'quiet' });
      continue;
    }
    await talk.outside(() => actions.apply(proposal.change));
    made.push({ text: `● done: ${description}`, tone: 'good' });
  }
  const { isMac } = await actions.machine();
  const nothing = isMac
    ? 'All settings are as a node needs them.'
    : 'There is nothing to set on this machine.';
  talk.show([
    ...(proposals.length === 0 ? [{ text: nothing }] : made),
    ...(made.some(({ tone }) => tone === 'good')
      ? [BLANK, { text: '`espalier setup --undo` brings back what was there before.' }]
      : []),
  ]);
  await talk.choose({ question: 'Go on?', options: [{ value: 'on', label: 'go on' }], initial: 'on' });
  return answers;
};

async function ask(
  { talk, flags }: StepContext,
  proposal: ProposedChange,
  rest: number,
  made: readonly Line[],
): Promise<string> {
  talk.show([...made, ...(made.length > 0 ? [BLANK] : []), ...changeLines(proposal)]);
  const isWanted = flags.fix === 'all' || flags.fix.includes(proposal.change.id);
  if (isWanted) return 'yes';
  return talk.choose({
    question: 'Change it?',
    options: [
      { value: 'yes', label: 'yes' },
      { value: 'no', label: 'no' },
      ...(rest > 1 ? [{ value: 'all', label: `yes, and the ${formatPlural(rest - 1, 'other')} too` }] : []),
    ],
    initial: 'no',
  });
}
