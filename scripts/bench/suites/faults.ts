// Suite `faults`: how long streams pause when something is pulled or killed, in a lab of six Macs as network namespaces.
import { EspalierError } from '../../../protocol/errors.ts';
import type { Incident } from '../../../protocol/incidents.ts';
import { faults } from '../../lab/faults.ts';
import { noLab, noLoss } from '../../lab/lab.ts';
import { referenceFile } from '../../lab/load.ts';
import { Scene } from '../../lab/scene.ts';
import { sixMacs } from '../../lab/six-macs.ts';
import { STREAMS, witness } from '../../lab/witness.ts';
import { BenchError } from '../bench-error.ts';
import { type Figure, figure, type SuiteContext } from '../figure.ts';

const TIMES = { frozenMs: 60_000, slowMs: 10_000, flapMs: 20_000 };

/** @throws BenchError where there can be no lab */
export async function faultsSuite({ say }: SuiteContext): Promise<Figure[]> {
  const reason = await noLab();
  if (reason) throw new BenchError(reason, 'Run it as root on Linux, with ip, tc and nft.');
  const lossless = await noLoss();
  const scene = new Scene(await sixMacs());
  const figures: Figure[] = [];
  try {
    for (const fault of faults(TIMES)) {
      if (fault.isLoss && lossless) {
        say(`${fault.name}: left out, ${lossless}`);
        continue;
      }
      const seen = await witness(scene, fault, referenceFile()).catch(leftOut);
      if (seen instanceof EspalierError) {
        say(`${fault.name}: left out, ${seen.message.split('\n')[0]}`);
        continue;
      }
      const { wrong, answers, longestPauseMs, incidents } = seen;
      say(
        `${fault.name}: ${answers.length} answers, ${wrong.length} wrong; longest pause of a stream ${(longestPauseMs / 1000).toFixed(1)} s; ${incidents.map(parts).join('; ')}`,
      );
      figures.push(
        figure({
          suite: 'faults',
          name: `longest pause of a stream: ${fault.name}`,
          value: longestPauseMs / 1000,
          unit: 's',
          aim: null,
          compared: `${STREAMS} streams of the demo model over six namespaces; ${wrong.length} of ${answers.length} answers differ from mlx-lm's; ${incidents.map(parts).join('; ')}`,
        }),
      );
    }
  } finally {
    await scene.macs.remove();
  }
  return figures;
}

/** What a machine with much else to do does not bring up in time costs one figure, and not all. */
function leftOut(error: unknown): EspalierError {
  if (error instanceof EspalierError) return error;
  throw error;
}

function parts({ seen, pause: { planMs, loadMs, linkMs, replayMs } }: Incident): string {
  const named = { plan: planMs, load: loadMs, link: linkMs, replay: replayMs };
  const told = Object.entries(named).map(([name, ms]) => `${name} ${ms === null ? '–' : Math.round(ms)}`);
  return `${seen.slice(0, 80)} (ms: ${told.join(', ')})`;
}
