// Puts the events of an answer together for clients that want it whole. It must not know dialects.
import type { ChoiceEvent } from './answer.ts';
import type { WholeAnswer } from './dialect.ts';

type Growing = Omit<WholeAnswer, 'finish' | 'usage'> & Partial<Pick<WholeAnswer, 'finish' | 'usage'>>;

/** @throws Error when a choice ends without its finish */
export async function collectAnswers(
  events: AsyncIterable<ChoiceEvent>,
  count: number,
): Promise<WholeAnswer[]> {
  const answers: Growing[] = Array.from({ length: count }, () => ({
    reasoning: '',
    content: '',
    tokens: [],
    calls: [],
    stopString: undefined,
    firstAtMs: 0,
    lastAtMs: 0,
  }));
  for await (const { choice, event } of events) {
    const answer = answers[choice] as Growing;
    answer.lastAtMs = performance.now();
    answer.firstAtMs ||= answer.lastAtMs;
    if (event.kind === 'finish') {
      answer.finish = event.reason;
      answer.stopString = event.stopString;
      answer.usage = event.usage;
    } else if (event.kind === 'tool-call') answer.calls.push(event.call);
    else {
      answer[event.kind] += event.text;
      if (event.kind === 'content') answer.tokens.push(...(event.tokens ?? []));
    }
  }
  return answers.map((answer) => {
    if (!answer.finish || !answer.usage) throw new Error('an answer ended without its finish');
    return answer as WholeAnswer;
  });
}
