// Suite `pipeline`: speculation in simulated time, driven by the real scheduler: two stages with this machine's own times, to
// be held against suite `speculation`, and DeepSeek R1 on Macs that are not here.
import { type Figure, figure, type SuiteContext } from '../figure.ts';
import { measureHere } from '../pipeline/measured-here.ts';
import { r1OnMacs, YIELDS } from '../pipeline/r1-on-macs.ts';
import { simulatedSpeed } from '../pipeline/simulate.ts';

const TOKENS = 2_000;
const HERE_YIELDS = [1, 0.9, 0.7, 0.5, 0];
/** What the rule chooses should be about as good as the best choice of all. */
const RULE_AIM = '>= 0.9';
/** A guess of a 1.5 B draft in 4 bits on an M3 Ultra: 1 GB at 0.8 of 819 GB/s, and 28 layers of 0.12 ms (the cost model). */
const DRAFT_MS = 5;

export async function pipelineSuite({ say }: SuiteContext): Promise<Figure[]> {
  return [...(await here(say)), ...(await r1(say))];
}

async function here(say: SuiteContext['say']): Promise<Figure[]> {
  const { halfMs, wholeMs, guessMs } = await measureHere();
  const rows = halfMs.map((ms) => ms.toFixed(1)).join(', ');
  say(
    `half of the layers: ${rows} ms with 1 to 8 rows; all ${wholeMs.toFixed(1)} ms; a guess ${guessMs.toFixed(1)} ms`,
  );
  const stage = (count: number) => halfMs[count - 1] ?? Number.NaN;
  const pipeline = { stageMs: [stage, stage], hopMs: [0, 0], guessMs };
  return HERE_YIELDS.map((yieldShare) =>
    figure({
      suite: 'pipeline',
      name: `simulated with this machine's times: 2 stages at a yield of ${yieldShare} against 1 stage without guesses`,
      value: (simulatedSpeed({ ...pipeline, yieldShare }, TOKENS) * wholeMs) / 1000,
      unit: 'times the tokens per second',
      aim: null,
      compared: `${TOKENS} tokens; hops take nothing, and nothing stops guesses that do not pay; demo model with its draft`,
    }),
  );
}

async function r1(say: SuiteContext['say']): Promise<Figure[]> {
  let worst = 1;
  const figures: Figure[] = [];
  for (const [what, guessMs] of [
    ['n-grams', 0],
    [`a draft of ${DRAFT_MS} ms`, DRAFT_MS],
  ] as const) {
    for (const { macs, off, oneRow, asPays, best } of await r1OnMacs(
      'M3 Ultra 512GB',
      'thunderbolt',
      guessMs,
    )) {
      const list = (of: readonly number[]) => of.map((value) => value.toFixed(1)).join(' ');
      say(
        `${what}, ${macs} Macs: off ${off.toFixed(1)}; one guess a step ${list(oneRow)}; as pays ${list(asPays)}`,
      );
      worst = Math.min(worst, ...asPays.map((speed, i) => speed / (best[i] as number)));
      figures.push(
        figure({
          suite: 'pipeline',
          name: `simulated: one stream of R1 on ${macs} M3 Ultra, guesses of ${what} at a yield of 0.8 against none`,
          value: (asPays[YIELDS.indexOf(0.8)] as number) / off,
          unit: 'times the tokens per second',
          aim: null,
          compared: `${off.toFixed(1)} tokens/s without; stage and hop times are the planner's estimates`,
        }),
      );
    }
  }
  const rule = {
    name: 'guesses a step as the stages choose them, against the best of 1 to 8, in the worst case of the table',
    value: worst,
    unit: 'of the speed',
    aim: RULE_AIM,
    compared: 'R1 on 2 to 8 M3 Ultra at yields of 0.5 to 0.95, simulated',
  };
  return [...figures, figure({ suite: 'pipeline', ...rule })];
}
