// Step 3 of a node: its code is shown until a controller has let it in.
import { printable } from '../../format.ts';
import type { Step } from '../step.ts';
import { BLANK, type Look } from '../talk.ts';

export const join: Step = async ({ talk, actions, answers }) => {
  const look = async (): Promise<Look> => {
    const controller = await actions.pairedWith();
    if (controller !== undefined) {
      const text = `● paired with the controller ${printable(controller)}`;
      return { lines: [{ text, tone: 'good' }], options: [{ value: 'on', label: 'go on' }], answer: 'on' };
    }
    const { name } = await actions.machine();
    const code = (await actions.code()) ?? 'none yet: the agent is still starting';
    return {
      lines: [
        { text: `The code of ${printable(name)}:  ${code}`, tone: 'title' },
        BLANK,
        { text: 'At the controller choose this machine and type the code:' },
        { text: '  espalier setup nodes', tone: 'accent' },
        BLANK,
        { text: 'This page goes on by itself when that is done.', tone: 'quiet' },
      ],
      options: [{ value: 'later', label: 'go on; it can be paired later' }],
    };
  };
  const { lines, options } = await look();
  talk.show(lines);
  await talk.choose({ question: 'Waiting for the controller', options, initial: 'later', look });
  return answers;
};
