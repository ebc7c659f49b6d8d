// Suite `speculation`: what guessing ahead brings one stream, that it costs nothing where it cannot help, and that texts stay
// what they were.
import { fileURLToPath } from 'node:url';
import type { SpeculationMode } from '../../../protocol/speculation.ts';
import { demoModelDir } from '../../cli/package-root.ts';
import { type BenchCluster, bringUp } from '../bench-cluster.ts';
import { type Cores, takeCores } from '../cores.ts';
import { type Figure, figure, type SuiteContext } from '../figure.ts';
import { inTurn } from '../in-turn.ts';
import { faultTexts } from '../speculation/fault-texts.ts';
import { sameTexts } from '../speculation/same-texts.ts';
import { oneStreamSpeed, type ReferenceCase, referenceCases } from '../speculation/texts.ts';
import { YIELD_VARIABLE } from '../speculation/yield-variable.ts';

const ROUNDS = 5;
const WORKER = fileURLToPath(new URL('../speculation/worker-entry.js', import.meta.url));
/** Answers of a round: the longest ones, some 1,000 tokens. */
const ANSWERS = 8;
const STREAMS = 8;

interface Bed extends SuiteContext {
  cores: Cores;
  cases: ReferenceCase[];
}

export async function speculationSuite(context: SuiteContext): Promise<Figure[]> {
  await using cores = await takeCores();
  const all = await referenceCases();
  const bed: Bed = { ...context, cores, cases: all.slice(0, ANSWERS) };
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

/** @param share of the guesses that is left as it is */
async function twoStages({ cores }: Bed, speculation: SpeculationMode, share: number): Promise<BenchCluster> {
  process.env[YIELD_VARIABLE] = String(share);
  return bringUp({
    modelDir: demoModelDir(),
    stages: 2,
    cores: cores.two,
    speculation,
    workerProgram: WORKER,
  });
}

async function againstOneStage(
  bed: Bed,
  single: BenchCluster,
  share: number,
  aim: string | null,
): Promise<Figure> {
  await using pair = await twoStages(bed, 'draft', share);
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
    compared: `${answers(rounds)}; ${kept} of ${sent} guesses kept; ${bed.cores.two.text}; demo model`,
  });
}

async function neverRight(bed: Bed, off: BenchCluster): Promise<Figure> {
  await using never = await twoStages(bed, 'draft', 0);
  for (const cluster of [off, never]) await oneStreamSpeed(cluster, bed.cases);
  const { ratio, rounds } = await compare(bed, 'no guess is right', off, never);
  return figure({
    suite: 'speculation',
    name: 'one stream on 2 stages, guesses that are never right against none',
    value: ratio,
    unit: 'times the tokens per second',
    aim: '>= 0.97',
    compared: `${answers(rounds)}; ${bed.cores.two.text}; demo model`,
  });
}

async function crowd(bed: Bed, off: BenchCluster, on: BenchCluster): Promise<Figure> {
  const perSecond = async (cluster: BenchCluster) => {
    await cluster.takeTurn();
    const begin = performance.now();
    const prompts = bed.cases.slice(0, STREAMS).map(({ prompt_ids }) => prompt_ids);
    const told = await cluster.generateAll(prompts, 128);
    return (told.reduce((sum, { tokens }) => sum + tokens.length, 0) * 1000) / (performance.now() - begin);
  };
  for (const cluster of [off, on]) await perSecond(cluster);
  const { ratio, rounds } = await inTurn(
    bed.rounds ?? ROUNDS,
    () => undefined,
    [() => perSecond(off), () => perSecond(on)],
    (without, with_, round) =>
      bed.say(`${STREAMS} streams, round ${round}: ${with_.toFixed(1)} tokens/s on, ${without.toFixed(1)} off`),
  );
  return figure({
    suite: 'speculation',
    name: `${STREAMS} streams on 2 stages, speculation on against off`,
    value: ratio,
    unit: 'times the tokens per second',
    aim: '>= 0.98',
    compared: `median of ${rounds} rounds in turn, 128 tokens each, all at once; ${bed.cores.two.text}; demo model`,
  });
}

function compare(bed: Bed, what: string, first: BenchCluster, second: BenchCluster) {
  return inTurn(
    bed.rounds ?? ROUNDS,
    () => bed.cases,
    [(cases) => oneStreamSpeed(first, cases), (cases) => oneStreamSpeed(second, cases)],
    (one, other, round) =>
      bed.say(`${what}, round ${round}: ${other.toFixed(1)} tokens/s against ${one.toFixed(1)}`),
  );
}

function answers(rounds: number): string {
  return `decoded tokens a second over the ${ANSWERS} longest reference answers one after the other, median of ${rounds} rounds in turn`;
}
