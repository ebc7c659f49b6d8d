// One stage against mlx-lm on the same core: decode, and prefill of a short and of a long prompt. Our side pays for its
// whole way (client, controller, agent, worker); mlx-lm is called in its own process.
import type { Figure } from '../figure.ts';
import { firstTokenMs, type Generation, stepMs } from '../generation.ts';
import { inTurn } from '../in-turn.ts';
import { type MlxLm, startMlxLm } from '../mlx-lm.ts';
import { type EngineBed, engineFigure, warmUp } from './bed.ts';

const DECODE = { promptTokens: 32, tokens: 101, rounds: 5 };
const SHORT_PREFILL = { promptTokens: 128, rounds: 5 };
/** mlx-lm takes most of a minute for one, and the ratio is far from any doubt. */
const LONG_PREFILL = { promptTokens: 2_048, rounds: 2 };

export async function againstMlxLm(bed: EngineBed, python: string): Promise<Figure[]> {
  const { modelDir, cores, single, say } = bed;
  await using mlxLm = await startMlxLm({ python, modelDir, cores: cores.one });
  const promptIds = bed.prompt(64);
  const [theirs, ours] = [await mlxLm.generate(promptIds, 16), await single.generate(promptIds, 16)];
  say(`${commonStart(theirs.tokens, ours.tokens)} of 16 greedy tokens are the same as ${mlxLm.version} has`);
  for (const side of [mlxLm, single]) await warmUp(side, bed);
  return [
    await decode(bed, mlxLm),
    await prefill(bed, mlxLm, SHORT_PREFILL),
    await prefill(bed, mlxLm, LONG_PREFILL),
  ];
}

async function decode(bed: EngineBed, mlxLm: MlxLm): Promise<Figure> {
  const { promptTokens, tokens } = DECODE;
  return compare(bed, mlxLm, {
    ...DECODE,
    name: 'decode, one stage against mlx-lm',
    aim: '>= 1.1',
    milliseconds: stepMs,
    of: `a token, of ${tokens} after a prompt of ${promptTokens}`,
  });
}

async function prefill(
  bed: EngineBed,
  mlxLm: MlxLm,
  { promptTokens, rounds }: { promptTokens: number; rounds: number },
): Promise<Figure> {
  return compare(bed, mlxLm, {
    promptTokens,
    rounds,
    tokens: 1,
    name: `prefill of ${promptTokens} tokens, one stage against mlx-lm`,
    aim: '>= 5',
    milliseconds: firstTokenMs,
    of: 'to the first token',
  });
}

interface What {
  promptTokens: number;
  tokens: number;
  rounds: number;
  name: string;
  aim: string;
  milliseconds: (generation: Generation) => number;
  /** what the milliseconds are of */
  of: string;
}

async function compare(bed: EngineBed, mlxLm: MlxLm, what: What): Promise<Figure> {
  const { promptTokens, tokens, name, aim, milliseconds, of } = what;
  const { cores, single, say } = bed;
  const { ratio, rounds } = await inTurn(
    bed.rounds ?? what.rounds,
    () => bed.prompt(promptTokens),
    [
      async (promptIds) => milliseconds(await single.generate(promptIds, tokens)),
      async (promptIds) => milliseconds(await mlxLm.generate(promptIds, tokens)),
    ],
    (ours, theirs, round) =>
      say(`${name}, round ${round}: ${ours.toFixed(2)} ms, mlx-lm ${theirs.toFixed(2)} ms ${of}`),
  );
  const compared = `time ${of}, ${mlxLm.version}`;
  return engineFigure({ name, value: ratio, unit: 'times as fast', aim, compared }, rounds, cores.one.text);
}

function commonStart(some: readonly number[], others: readonly number[]): number {
  const different = some.findIndex((token, i) => token !== others[i]);
  return different < 0 ? some.length : different;
}
