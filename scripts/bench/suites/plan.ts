// Suite `plan`: what the cost model predicts, against what others have measured and what is measured here, and how long
// planning takes.
import { findPlan } from '../../../controller/planner/planner.ts';
import { type Figure, figure, median, type SuiteContext } from '../figure.ts';
import { measuredHere, prefillHere } from '../plan/measured-here.ts';
import { NOT_PREDICTED, PUBLISHED, type Published } from '../plan/published.ts';
import { randomCluster } from '../plan/random-cluster.ts';

/** "Within 25 %", in whichever direction it is off. */
const MAX_RATIO = 1.25;
const TIMED = [
  { nodes: 8, aimMs: 1_000 },
  { nodes: 64, aimMs: 10_000 },
] as const;
const ROUNDS = 5;

export async function planSuite({ say, rounds = ROUNDS }: SuiteContext): Promise<Figure[]> {
  for (const text of NOT_PREDICTED) say(`not predicted: ${text}`);
  const times = TIMED.flatMap(({ nodes, aimMs }) =>
    (['throughput', 'latency'] as const).map((goal) => {
      say(`planning ${nodes} nodes × 61 layers for ${goal}, ${rounds} times`);
      const taken = Array.from({ length: rounds }, (_, round) => {
        const request = randomCluster(nodes, goal, round + 1);
        const begin = performance.now();
        findPlan(request);
        return performance.now() - begin;
      });
      return figure({
        suite: 'plan',
        name: `planning time, ${nodes} unlike nodes × 61 layers, ${goal}`,
        value: median(taken),
        unit: 'ms',
        aim: `<= ${aimMs}`,
        compared: `median of ${rounds} different clusters, the longest ${Math.max(...taken).toFixed(0)} ms`,
      });
    }),
  );
  return [
    ...PUBLISHED.map(comparison),
    await measuredHere(rounds, say),
    ...(await prefillHere(rounds, say)),
    ...times,
  ];
}

function comparison({ what, source, published, predict, isCalibration, fails }: Published): Figure {
  const predicted = predict();
  const ratio = predicted / published;
  const isWithin = ratio <= MAX_RATIO && ratio >= 1 / MAX_RATIO;
  const notes = [
    `predicted ${predicted.toFixed(2)}, published ${published.toFixed(2)} (${source})`,
    ...(isCalibration ? ["the model's constants come from it"] : []),
    ...(fails && !isWithin ? [`the assumption that fails: ${fails}`] : []),
  ];
  return figure({
    suite: 'plan',
    name: `predicted / published: ${what}`,
    value: ratio,
    unit: '×',
    // a known failure is told, not judged
    aim: fails && !isWithin ? null : ratio >= 1 ? `<= ${MAX_RATIO}` : `>= ${1 / MAX_RATIO}`,
    compared: notes.join('; '),
  });
}
