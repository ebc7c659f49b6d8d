// The last step: the first question, and its answer as it comes.
import { printable } from '../../format.ts';
import type { Step } from '../step.ts';
import { BLANK, type Line } from '../talk.ts';

export const FIRST_QUESTION = "How many r's are in strawberry?";

export const question: Step = async ({ talk, actions, answers }) => {
  const asked = await talk.enter({
    flag: 'question',
    question: 'Your first question',
    initial: answers.question ?? FIRST_QUESTION,
  });
  const said = { reasoning: '', content: '' };
  const page = (): Line[] => [
    { text: `> ${printable(asked)}`, tone: 'title' },
    BLANK,
    ...paragraphs(said.reasoning).map((text): Line => ({ text, tone: 'quiet' })),
    ...(said.reasoning === '' ? [] : [BLANK]),
    ...paragraphs(said.content).map((text): Line => ({ text })),
  ];
  await talk.during('Thinking', async (tell, signal) => {
    await actions.ask(
      asked,
      ({ kind, text }) => {
        said[kind] += text;
        if (!talk.isUnattended) tell(page());
      },
      signal,
    );
  });
  talk.show(page());
  await talk.choose({
    question: 'That was your own cluster.',
    options: [{ value: 'on', label: 'finish' }],
    initial: 'on',
  });
  return { ...answers, question: asked };
};

function paragraphs(text: string): string[] {
  return text.trim() === '' ? [] : text.trim().split('\n').map(printable);
}
