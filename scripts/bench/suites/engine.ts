// Suite `engine`: how fast and how small the stage engine is, through real workers and hops: against mlx-lm, with
// stages and requests added, and in a conversation's second turn.
import { bringUp } from '../bench-cluster.ts';
import { benchModel } from '../bench-model.ts';
import { takeCores } from '../cores.ts';
import { againstMlxLm } from '../engine/against-mlx-lm.ts';
import { type EngineBed, engineFigure } from '../engine/bed.ts';
import { secondTurn } from '../engine/second-turn.ts';
import { threeStages } from '../engine/three-stages.ts';
import { twoStages } from '../engine/two-stages.ts';
import type { Figure, SuiteContext } from '../figure.ts';
import { promptSource } from '../prompt.ts';
import { benchPython } from '../python-env.ts';
import { MEMORY_AIM, reportedOverheadMb } from '../stage-memory.ts';

const FEW_TOKENS = 16;

export async function engineSuite(context: SuiteContext): Promise<Figure[]> {
  const python = await benchPython(context.say);
  const modelDir = await benchModel(python, context.say);
  await using cores = await takeCores();
  await using single = await bringUp({ modelDir, stages: 1, cores: cores.one });
  const bed: EngineBed = { ...context, modelDir, cores, single, prompt: promptSource() };
  return [
    await memory(bed),
    ...(await againstMlxLm(bed, python)),
    ...(await twoStages(bed)),
    await threeStages(bed),
    await secondTurn(bed),
  ];
}

/** The first of all, while the worker is fresh; suite `long` has the memory after 20,000 tokens. */
async function memory({ single, prompt, cores }: EngineBed): Promise<Figure> {
  await single.generate(prompt(FEW_TOKENS), FEW_TOKENS);
  const of = {
    name: 'resident memory of a fresh stage above its tensors and KV',
    value: await reportedOverheadMb(single),
    unit: 'MB',
    aim: MEMORY_AIM,
    compared: `as the worker reports it, after ${FEW_TOKENS} tokens`,
  };
  return engineFigure(of, undefined, cores.one.text);
}
