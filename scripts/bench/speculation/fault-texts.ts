// Texts of streams that meet a fault while tokens are guessed for them: two streams over six Macs of the lab, so that four
// stages have time for guesses.
import { faults } from '../../lab/faults.ts';
import { noLab } from '../../lab/lab.ts';
import { referenceFile } from '../../lab/load.ts';
import { Scene } from '../../lab/scene.ts';
import { sixMacs } from '../../lab/six-macs.ts';
import { witness } from '../../lab/witness.ts';
import { type Figure, figure, type SuiteContext } from '../figure.ts';

const STREAMS = 2;
const TIMES = { frozenMs: 10_000, slowMs: 5_000, flapMs: 5_000 };

/** One figure, or none where there can be no lab. */
export async function faultTexts({ say }: SuiteContext): Promise<Figure[]> {
  const reason = await noLab();
  if (reason) {
    say(`faults are left out: ${reason}`);
    return [];
  }
  const scene = new Scene(await sixMacs({ args: { controller: ['--speculation', 'auto'] } }));
  let right = 0;
  let all = 0;
  let kept = 0;
  const names: string[] = [];
  try {
    for (const fault of faults(TIMES).filter(({ isSlow, isLoss }) => !isSlow && !isLoss)) {
      const { wrong, answers } = await witness(scene, fault, referenceFile(), STREAMS);
      const { guesses } = await scene.macs.cluster.status();
      kept = (guesses ?? []).reduce((sum, each) => sum + each.kept, 0);
      say(`${fault.name}: ${answers.length} answers, ${wrong.length} wrong; ${kept} guesses kept so far`);
      right += answers.length - wrong.length;
      all += answers.length;
      names.push(fault.name);
    }
  } finally {
    await scene.macs.remove();
  }
  return [
    figure({
      suite: 'speculation',
      name: 'answers that are right although a fault struck while tokens were guessed',
      value: right / all,
      unit: `of ${all}`,
      aim: '>= 1',
      compared: `${STREAMS} streams over six namespaces, ${kept} guesses kept; ${names.join(' · ')}`,
    }),
  ];
}
