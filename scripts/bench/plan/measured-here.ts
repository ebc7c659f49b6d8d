// What the plan of a real cluster on this machine predicts of its speed, against what its clients see.
import { demoModelDir } from '../../cli/package-root.ts';
import { bringUp } from '../bench-cluster.ts';
import { type Figure, figure, median } from '../figure.ts';
import { stepMs } from '../generation.ts';
import { promptSource } from '../prompt.ts';

const STAGES = 3;
const TOKENS = 200;
const PROMPT_TOKENS = 32;

/** The layers' times come from the stages' own reports, the hops' are still the links' estimates. */
export async function measuredHere(rounds: number, say: (line: string) => void): Promise<Figure> {
  await using cluster = await bringUp({ modelDir: demoModelDir(), stages: STAGES });
  const prompt = promptSource();
  // from this answer the controller learns how long a layer takes here
  await cluster.generate(prompt(PROMPT_TOKENS), TOKENS);
  const ratios: number[] = [];
  for (let round = 1; round <= rounds; round++) {
    const { predicted } = await cluster.planReport();
    const measured = 1_000 / stepMs(await cluster.generate(prompt(PROMPT_TOKENS), TOKENS));
    ratios.push(predicted.oneStream / measured);
    say(`round ${round}: ${predicted.oneStream.toFixed(1)} tok/s predicted, ${measured.toFixed(1)} measured`);
  }
  return figure({
    suite: 'plan',
    name: 'predicted / measured: one stream on this machine',
    value: median(ratios),
    unit: '×',
    aim: null,
    compared: `${STAGES} stages of the demo model share this machine's cores; ${TOKENS} tokens, median of ${rounds} rounds, each predicted from what the rounds before have taught`,
  });
}
