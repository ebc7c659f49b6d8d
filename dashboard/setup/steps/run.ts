// Step 2: what keeps Espalier's processes running on this machine, and their start.
import { changeLines } from '../change-lines.ts';
import type { Step } from '../step.ts';
import { BLANK, type Line } from '../talk.ts';

export const run: Step = async ({ talk, actions, answers }) => {
  const { role = 'controller' } = answers;
  const wanted = role === 'controller' ? (['agent', 'controller'] as const) : (['agent'] as const);
  const running = await actions.running();
  const lines: Line[] = wanted.map((name) => ({
    text: running[name] === null ? `○ ${name}: does not run yet` : `● ${name}: runs (${running[name]})`,
    tone: running[name] === null ? 'plain' : 'good',
  }));
  if (wanted.every((name) => running[name] !== null)) {
    talk.show([...lines, BLANK, { text: 'All that this machine needs runs already.' }]);
    await talk.choose({
      question: 'Go on?',
      options: [{ value: 'on', label: 'go on' }],
      initial: 'on',
    });
    return answers;
  }
  const { systemHow } = await actions.machine();
  talk.show([
    ...lines,
    BLANK,
    { text: 'background: at once, and until this machine restarts. Good for a first evening.' },
    systemHow === undefined
      ? { text: 'Neither launchd nor systemd runs here, so there is no other way.', tone: 'quiet' }
      : {
          text: `service: by ${systemHow}, from the start of this machine on; it is started again when it ends.`,
        },
  ]);
  const how = await talk.choose({
    flag: 'run',
    question: 'How is Espalier to be kept running?',
    options: [
      ...(systemHow === undefined
        ? []
        : [{ value: 'system', label: `as a service (${systemHow}); asks for your password` }]),
      { value: 'background', label: 'in the background' },
    ],
    initial: systemHow === undefined ? 'background' : answers.how,
  });
  if (how === 'system') {
    const changes = await actions.serviceChanges(role);
    talk.show(changes.flatMap(changeLines));
    const yes = await talk.choose({
      question: 'Change the system so?',
      options: [
        { value: 'yes', label: 'yes' },
        { value: 'no', label: 'no, go on in the background' },
      ],
      // who asks for a service by a flag wants it
      initial: talk.isUnattended ? 'yes' : 'no',
    });
    if (yes === 'yes') {
      await talk.outside(() => actions.startServices(role, 'system'));
      return { ...answers, how: 'system' };
    }
  }
  await talk.during('Starting', () => actions.startServices(role, 'background'));
  return { ...answers, how: 'background' };
};
