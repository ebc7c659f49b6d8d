// What a second stage on a second core brings: many requests at once, and one long prompt in chunks that overlap, each
// against one stage on one core.
import { type BenchCluster, bringUp } from '../bench-cluster.ts';
import type { Cores } from '../cores.ts';
import type { Figure } from '../figure.ts';
import { firstTokenMs, totalMs } from '../generation.ts';
import { inTurn } from '../in-turn.ts';
import { type EngineBed, engineFigure, warmUp } from './bed.ts';

const ROUNDS = 5;
const REQUESTS = { count: 8, promptTokens: 16, tokens: 64 };
const PREFILL_TOKENS = 2_048;

export async function twoStages(bed: EngineBed): Promise<Figure[]> {
  const { modelDir, cores } = bed;
  await using pair = await bringUp({ modelDir, stages: 2, cores: cores.two });
  await warmUp(pair, bed);
  return [await throughput(bed, pair), await prefill(bed, pair)];
}

async function throughput(bed: EngineBed, pair: BenchCluster): Promise<Figure> {
  const { cores, single, say } = bed;
  const { count, promptTokens, tokens } = REQUESTS;
  const name = `${count} requests at once on 2 stages and 2 cores against 1 request on 1 stage and 1 core`;
  const perSecond = async (cluster: BenchCluster, prompts: readonly number[][]) => {
    const generations = await cluster.generateAll(prompts, tokens);
    return (generations.length * tokens * 1000) / Math.max(...generations.map(totalMs));
  };
  // a fresh stage has not run a step with several rows yet
  await perSecond(pair, prompts(bed));
  const { ratio, rounds } = await inTurn(
    bed.rounds ?? ROUNDS,
    () => prompts(bed),
    [([first = []]) => perSecond(single, [first]), (all) => perSecond(pair, all)],
    (alone, together, round) =>
      say(
        `${count} requests, round ${round}: ${together.toFixed(1)} tokens/s together, ${alone.toFixed(1)} tokens/s alone`,
      ),
  );
  const compared = `tokens of all requests per second, ${tokens} each after a prompt of ${promptTokens}, prompts included`;
  const of = { name, value: ratio, unit: 'times the tokens per second', aim: '>= 2.2', compared };
  return engineFigure(of, rounds, placing(cores));
}

function placing({ one, two }: Cores): string {
  return one.text === two.text ? one.text : `2 stages: ${two.text}; 1 stage: ${one.text}`;
}

function prompts({ prompt }: EngineBed): number[][] {
  return Array.from({ length: REQUESTS.count }, () => prompt(REQUESTS.promptTokens));
}

async function prefill(bed: EngineBed, pair: BenchCluster): Promise<Figure> {
  const { cores, single, say } = bed;
  const name = `prefill of ${PREFILL_TOKENS} tokens, 2 stages on 2 cores against 1 stage on 1 core`;
  const { ratio, rounds } = await inTurn(
    bed.rounds ?? ROUNDS,
    () => bed.prompt(PREFILL_TOKENS),
    [
      async (promptIds) => firstTokenMs(await pair.generate(promptIds, 1)),
      async (promptIds) => firstTokenMs(await single.generate(promptIds, 1)),
    ],
    (two, one, round) =>
      say(`prefill, round ${round}: 2 stages ${two.toFixed(0)} ms, 1 stage ${one.toFixed(0)} ms`),
  );
  const of = {
    name,
    value: ratio,
    unit: 'times as fast',
    aim: '>= 1.85',
    compared: 'time to the first token',
  };
  return engineFigure(of, rounds, placing(cores));
}
