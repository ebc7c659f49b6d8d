// What a conversation's second turn pays: its prompt is the first one, the answer, and a few new tokens.
import type { Figure } from '../figure.ts';
import { firstTokenMs } from '../generation.ts';
import { inTurn } from '../in-turn.ts';
import { type EngineBed, engineFigure } from './bed.ts';

const ROUNDS = 3;
const FIRST_TOKENS = 2_000;
const ANSWER_TOKENS = 32;
const NEW_TOKENS = 20;

export async function secondTurn(bed: EngineBed): Promise<Figure> {
  const { cores, single, say } = bed;
  let answer: readonly number[] = [];
  const { ratio, rounds } = await inTurn(
    bed.rounds ?? ROUNDS,
    () => ({ first: bed.prompt(FIRST_TOKENS), more: bed.prompt(NEW_TOKENS) }),
    [
      async ({ first }) => {
        const generation = await single.generate(first, ANSWER_TOKENS);
        answer = generation.tokens;
        return firstTokenMs(generation);
      },
      async ({ first, more }) => firstTokenMs(await single.generate([...first, ...answer, ...more], 1)),
    ],
    (first, second, round) =>
      say(`conversation ${round}: first token after ${first.toFixed(0)} ms, then ${second.toFixed(0)} ms`),
  );
  const name = `second turn of a conversation of ${FIRST_TOKENS} tokens against the first`;
  const compared = `time to the first token, after ${ANSWER_TOKENS} tokens of answer and ${NEW_TOKENS} new ones, one stage`;
  return engineFigure(
    { name, value: ratio, unit: 'of the time', aim: '<= 0.1', compared },
    rounds,
    cores.one.text,
  );
}
