// What splitting costs a single stream: three stages against one, on the same cores.
import { type BenchCluster, bringUp } from '../bench-cluster.ts';
import type { Figure } from '../figure.ts';
import { stepMs } from '../generation.ts';
import { inTurn } from '../in-turn.ts';
import { type EngineBed, engineFigure, warmUp } from './bed.ts';

const ROUNDS = 5;
const PROMPT_TOKENS = 32;
const TOKENS = 101;

export async function threeStages(bed: EngineBed): Promise<Figure> {
  const { modelDir, cores, say } = bed;
  await using three = await bringUp({ modelDir, stages: 3, cores: cores.two });
  await using one = await bringUp({ modelDir, stages: 1, cores: cores.two });
  for (const cluster of [three, one]) await warmUp(cluster, bed);
  const decode = (cluster: BenchCluster) => async (promptIds: number[]) =>
    stepMs(await cluster.generate(promptIds, TOKENS));
  const { ratio, rounds } = await inTurn(
    bed.rounds ?? ROUNDS,
    () => bed.prompt(PROMPT_TOKENS),
    [decode(three), decode(one)],
    (threeMs, oneMs, round) =>
      say(
        `one request, round ${round}: 3 stages ${threeMs.toFixed(2)} ms a token, 1 stage ${oneMs.toFixed(2)} ms`,
      ),
  );
  const name = 'one request, 3 stages against 1 stage on the same cores';
  const compared = `time a token, of ${TOKENS} after a prompt of ${PROMPT_TOKENS}`;
  const of = { name, value: ratio, unit: 'times as fast', aim: '>= 0.95', compared };
  return engineFigure(of, rounds, cores.two.text);
}
