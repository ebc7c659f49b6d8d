// One stream and many with guesses and without: what guesses bring, and that they cost nothing where they cannot help.
import { fileURLToPath } from 'node:url';
import { DEFAULT_PLANNING } from '../../../protocol/plan.ts';
import type { SpeculationMode } from '../../../protocol/speculation.ts';
import { demoModelDir } from '../../cli/package-root.ts';
import { type BenchCluster, bringUp } from '../bench-cluster.ts';
import type { Cores } from '../cores.ts';
import { type Figure, figure, median, type SuiteContext } from '../figure.ts';
import { inTurn } from '../in-turn.ts';
import { oneStreamSpeed, type ReferenceCase } from './texts.ts';
import { YIELD_VARIABLE } from './yield-variable.ts';

const ROUNDS = 5;
const WORKER = fileURLToPath(new URL('./worker-entry.js', import.meta.url));
/** Of each stage: `--goal latency` gives the one that drafts fewer, once it has measured what a guess takes it. */
const LAYERS = [5, 7];
const STREAMS = 8;
const CROWD_TOKENS = 96;

export interface SpeculationBed extends SuiteContext {
  cores: Cores;
  /** whose answers a round decodes */
  cases: readonly ReferenceCase[];
}

/** @param share of the guesses that is left as it is */
export async function twoStages(
  { cores }: SpeculationBed,
  speculation: SpeculationMode,
  share: number,
  layers?: readonly number[],
): Promise<BenchCluster> {
  process.env[YIELD_VARIABLE] = String(share);
  return bringUp({
    modelDir: demoModelDir(),
    stages: 2,
    cores: cores.two,
    // on one machine the planner knows no node on which it would be apart
    planning: { ...DEFAULT_PLANNING, layers, draftPlace: 'head' },
    speculation,
    workerProgram: WORKER,
  });
}

/** @param share of the draft's guesses that is left as it is */
export async function againstOneStage(
  bed: SpeculationBed,
  single: BenchCluster,
  share: number,
  aim: string | null,
): Promise<Figure> {
  await using pair = await twoStages(bed, 'draft', share, LAYERS);
  await oneStreamSpeed(pair, bed.cases);
  const { ratio, rounds } = await compare(bed, `guesses left right: ${share}`, single, pair);
  const { sent, kept } = pair.status().guesses?.[0] ?? { sent: 0, kept: 0 };
  const spoilt = share === 1 ? '' : `, ${Math.round((1 - share) * 100)} % of its guesses spoilt`;
  return figure({
    suite: 'speculation',
    name: `one stream, 2 stages on 2 cores with a draft${spoilt}, against 1 stage on 1 core without`,
    value: ratio,
    unit: 'times the tokens per second',
    aim,
    compared: `${answers(rounds, bed.cases)}; ${LAYERS.join(' and ')} layers; ${kept} of ${sent} guesses kept; ${bed.cores.two.text}; demo model`,
  });
}

export async function neverRight(bed: SpeculationBed, off: BenchCluster): Promise<Figure> {
  await using never = await twoStages(bed, 'draft', 0);
  for (const cluster of [off, never]) await oneStreamSpeed(cluster, bed.cases);
  const { ratio, rounds } = await compare(bed, 'no guess is right', off, never);
  return figure({
    suite: 'speculation',
    name: 'one stream on 2 stages, guesses that are never right against none',
    value: ratio,
    unit: 'times the tokens per second',
    aim: '>= 0.97',
    compared: `${answers(rounds, bed.cases)}; ${bed.cores.two.text}; demo model`,
  });
}

export async function crowd(bed: SpeculationBed, off: BenchCluster, on: BenchCluster): Promise<Figure> {
  const perSecond = async (cluster: BenchCluster) => {
    await cluster.takeTurn();
    const begin = performance.now();
    const prompts = bed.cases.slice(0, STREAMS).map(({ prompt_ids }) => prompt_ids);
    const told = await cluster.generateAll(prompts, CROWD_TOKENS);
    return (told.reduce((sum, { tokens }) => sum + tokens.length, 0) * 1000) / (performance.now() - begin);
  };
  for (const cluster of [off, on]) await perSecond(cluster);
  const { ratio, rounds } = await inTurn(
    bed.rounds ?? ROUNDS,
    () => undefined,
    [() => perSecond(off), () => perSecond(on)],
    (without, with_, round) =>
      bed.say(
        `${STREAMS} streams, round ${round}: ${with_.toFixed(1)} tokens/s on, ${without.toFixed(1)} off`,
      ),
  );
  return figure({
    suite: 'speculation',
    name: `${STREAMS} streams on 2 stages, speculation on against off`,
    value: ratio,
    unit: 'times the tokens per second',
    aim: '>= 0.98',
    compared: `median of ${rounds} rounds in turn, ${CROWD_TOKENS} tokens each, all at once; ${bed.cores.two.text}; demo model`,
  });
}

/** Answer by answer in turn: whatever else the machine does for a second touches one pair of many. */
async function compare(bed: SpeculationBed, what: string, first: BenchCluster, second: BenchCluster) {
  const { cases, rounds = ROUNDS } = bed;
  let asked = 0;
  const next = () => [cases[asked++ % cases.length] as ReferenceCase];
  const speeds: [number, number][] = [];
  const { ratio } = await inTurn(
    rounds * cases.length,
    next,
    [(one) => oneStreamSpeed(first, one), (one) => oneStreamSpeed(second, one)],
    (one, other, pair) => {
      speeds.push([one, other]);
      if (pair % cases.length > 0) return;
      const [before, now] = [0, 1].map((way) => median(speeds.map((both) => both[way] as number)));
      const told = `${now?.toFixed(1)} tokens/s against ${before?.toFixed(1)}`;
      bed.say(`${what}, round ${pair / cases.length}: ${told} in the median of ${pair} answers`);
    },
  );
  return { ratio, rounds };
}

function answers(rounds: number, { length: count }: readonly ReferenceCase[]): string {
  return `decoded tokens a second of one answer, median of ${count} reference answers in ${rounds} rounds, answer by answer in turn`;
}
