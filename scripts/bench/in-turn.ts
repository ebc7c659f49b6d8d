// Compares two ways of doing the same: one after the other, round by round, so that whatever else the machine does
// touches both. It must not know what is measured.
import { median } from './figure.ts';

/** One way of doing it. */
type Way<Input> = (input: Input) => Promise<number>;

export interface Comparison {
  /** median of the rounds' ratios, the second way's number over the first's */
  ratio: number;
  rounds: number;
}

/**
 * Measures both ways `rounds` times in turn.
 * @param input of a round, the same for both ways
 * @param ways each gives its number for an input: milliseconds, or tokens per second
 * @param onRound both numbers of a round; rounds count from 1
 */
export async function inTurn<Input>(
  rounds: number,
  input: () => Input,
  [first, second]: readonly [Way<Input>, Way<Input>],
  onRound: (first: number, second: number, round: number) => void,
): Promise<Comparison> {
  const ratios: number[] = [];
  for (let round = 1; round <= rounds; round++) {
    const given = input();
    // each goes first as often as the other: what a way leaves behind is not always the same one's burden
    const isFirstFirst = round % 2 === 1;
    const early = isFirstFirst ? await first(given) : await second(given);
    const late = isFirstFirst ? await second(given) : await first(given);
    const [one, other] = isFirstFirst ? [early, late] : [late, early];
    ratios.push(other / one);
    onRound(one, other, round);
  }
  return { ratio: median(ratios), rounds };
}
