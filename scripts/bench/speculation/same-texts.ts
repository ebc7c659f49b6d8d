// Whether texts are the same with guesses and without: every reference case, and seeded draws with all kinds of options.
import type { Sampling } from '../../../protocol/generate.ts';
import type { BenchCluster } from '../bench-cluster.ts';
import { type Figure, figure, type SuiteContext } from '../figure.ts';
import { answer, isSame, type ReferenceCase } from './texts.ts';

const SAMPLED = 200;

/** Each draws in another way; the last ones depend on the tokens so far. */
const WAYS: Partial<Sampling>[] = [
  { temperature: 0.6, topP: 0.95 },
  { temperature: 1 },
  { temperature: 1.5, topK: 20, minP: 0.02 },
  { temperature: 0.8, topLogprobs: 3 },
  { temperature: 0.7, repetitionPenalty: 1.3 },
  { temperature: 0.9, presencePenalty: 0.8, frequencyPenalty: 0.4 },
  { temperature: 0.6, minTokens: 20, logitBias: [[30, 2]] },
];

export async function sameTexts(
  { say }: SuiteContext,
  cases: readonly ReferenceCase[],
  off: BenchCluster,
  on: BenchCluster,
): Promise<Figure> {
  let same = 0;
  let all = 0;
  const compare = async (promptIds: number[], sampling: Partial<Sampling>, expected?: string) => {
    const without = await answer(off, promptIds, sampling);
    const guessed = await answer(on, promptIds, sampling);
    all += 1;
    const isExpected = (expected ?? guessed.tokens.join()) === guessed.tokens.join();
    if (isExpected && isSame(without.events, guessed.events)) same += 1;
    else
      say(
        `a text differs: ${JSON.stringify({ sampling, without: without.tokens, guessed: guessed.tokens })}`,
      );
  };
  for (const { prompt_ids: prompt, greedy_ids: greedy } of cases)
    await compare(prompt, {}, greedy.filter((id) => id !== 1).join());
  say(`${same} of ${all} reference cases are the same`);
  for (let seed = 1; seed <= SAMPLED; seed++) {
    const { prompt_ids: prompt } = cases[seed % cases.length] as ReferenceCase;
    await compare(prompt, { ...WAYS[seed % WAYS.length], seed });
  }
  const guesses = (on.status().guesses ?? []).map(({ source, sent, kept }) => `${source} ${kept} of ${sent}`);
  return figure({
    suite: 'speculation',
    name: 'texts that are the same with speculation and without',
    value: same / all,
    unit: 'of all',
    aim: '>= 1',
    compared: `${cases.length} reference cases (also with mlx-lm's answers) and ${SAMPLED} seeded draws in ${WAYS.length} ways; guesses kept: ${guesses.join(', ')}`,
  });
}
