// Suite `speculation`: what guessing ahead brings one stream, that it costs nothing where it cannot help, and that texts
// stay what they were.
import { demoModelDir } from '../../cli/package-root.ts';
import { bringUp } from '../bench-cluster.ts';
import { takeCores } from '../cores.ts';
import type { Figure, SuiteContext } from '../figure.ts';
import { faultTexts } from '../speculation/fault-texts.ts';
import { sameTexts } from '../speculation/same-texts.ts';
import {
  againstOneStage,
  crowd,
  neverRight,
  type SpeculationBed,
  twoStages,
} from '../speculation/streams.ts';
import { longAnswers, oneStreamSpeed, referenceCases } from '../speculation/texts.ts';

export async function speculationSuite(context: SuiteContext): Promise<Figure[]> {
  await using cores = await takeCores();
  const all = await referenceCases();
  const bed: SpeculationBed = { ...context, cores, cases: longAnswers(all) };
  const figures: Figure[] = [];
  {
    await using single = await bringUp({ modelDir: demoModelDir(), stages: 1, cores: cores.one });
    await oneStreamSpeed(single, bed.cases);
    for (const [share, aim] of [
      [1, '>= 1.6'],
      [0.9, null],
      [0.7, '>= 1.25'],
      [0.5, null],
    ] as const)
      figures.push(await againstOneStage(bed, single, share, aim));
  }
  await using off = await twoStages(bed, 'off', 1);
  figures.push(await neverRight(bed, off));
  await using on = await twoStages(bed, 'auto', 1);
  figures.push(await crowd(bed, off, on));
  figures.push(await sameTexts(context, all, off, on));
  figures.push(...(await faultTexts(context)));
  return figures;
}
