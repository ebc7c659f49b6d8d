// What the plan of a real cluster on this machine predicts of its speed, against what its clients see.
import { demoModelDir } from '../../cli/package-root.ts';
import { bringUp } from '../bench-cluster.ts';
import { type Figure, figure, median } from '../figure.ts';
import { firstTokenMs, stepMs } from '../generation.ts';
import { promptSource } from '../prompt.ts';

const STAGES = 3;
const TOKENS = 200;
const PROMPT_TOKENS = 32;
/** Long enough for the stage to report what the prompt took. */
const AFTER_PREFILL_TOKENS = 60;

/** Two answers a round: the first is the first of all, the second is predicted from what it has taught. */
export async function prefillHere(rounds: number, say: (line: string) => void): Promise<Figure[]> {
  const ratios: { untaught: number[]; taught: number[] } = { untaught: [], taught: [] };
  for (let round = 1; round <= rounds; round++) {
    // one stage: several would share this machine's cores, which the plan does not know
    await using cluster = await bringUp({ modelDir: demoModelDir(), stages: 1 });
    const prompt = promptSource();
    for (const which of ['untaught', 'taught'] as const) {
      const { promptTokens, tokensPerSecond } = (await cluster.planReport()).predicted.prefill;
      const generation = await cluster.generate(prompt(promptTokens), AFTER_PREFILL_TOKENS);
      const measured = (1_000 * promptTokens) / firstTokenMs(generation);
      ratios[which].push(tokensPerSecond / measured);
      say(
        `prefill, round ${round}: ${tokensPerSecond.toFixed(0)} tok/s predicted, ${measured.toFixed(0)} measured`,
      );
    }
  }
  const of = { suite: 'plan', unit: '×', aim: null } as const;
  const how = `one stage of the demo model, median of ${rounds} rounds`;
  return [
    figure({
      ...of,
      name: 'predicted / measured: prefill on this machine, before anything was measured',
      value: median(ratios.untaught),
      compared: `${how}; on the CPU, by a guess of what it computes`,
    }),
    figure({
      ...of,
      name: 'predicted / measured: prefill on this machine, after one prompt',
      value: median(ratios.taught),
      compared: how,
    }),
  ];
}

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
