// Step 1: what this machine is to be.
import { SetupRole } from '../order.ts';
import type { Step } from '../step.ts';
import { BLANK } from '../talk.ts';

export const role: Step = async ({ talk, actions, answers }) => {
  const { name, text } = await actions.machine();
  talk.show([
    { text: `${name}: ${text}`, tone: 'accent' },
    BLANK,
    { text: 'One machine of the cluster is its controller: it finds the others, and programs ask it.' },
    { text: 'Every machine that holds a part of the model is a node. The controller is one, too.' },
  ]);
  const chosen = await talk.choose({
    flag: 'role',
    question: 'What is this machine to be?',
    options: [
      { value: 'controller', label: 'the controller, and a node' },
      { value: 'node', label: 'a node of a cluster whose controller is elsewhere' },
    ],
    initial: answers.role ?? 'controller',
  });
  return { ...answers, role: SetupRole.parse(chosen) };
};
