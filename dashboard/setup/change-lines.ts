// A proposed change of the system as lines of a page: what it does, why, and its exact commands. Pure.
import type { ProposedChange } from './actions.ts';
import { BLANK, type Line } from './talk.ts';

export function changeLines({ change, commands }: ProposedChange): Line[] {
  const { description, why } = change;
  return [
    { text: `${description[0]?.toUpperCase()}${description.slice(1)}.`, tone: 'title' },
    { text: why, tone: 'quiet' },
    ...commands.map((text): Line => ({ text: `$ ${text}`, tone: 'accent' })),
    BLANK,
  ];
}
