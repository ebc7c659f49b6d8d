// Suite `long`: an answer of R1's benchmark length. Whether it comes to its end, what a step costs there, and whether
// the stages' memory stays what it was. It takes a quarter of an hour.
import { demoModelDir } from '../../cli/package-root.ts';
import { bringUp } from '../bench-cluster.ts';
import { takeCores } from '../cores.ts';
import { type Figure, figure, type SuiteContext } from '../figure.ts';
import { type Generation, stepMs } from '../generation.ts';
import { promptSource } from '../prompt.ts';
import { MEMORY_AIM, worstOverheadMb } from '../stage-memory.ts';

/** The longest answers that R1 gives in its makers' benchmarks (arXiv 2501.12948, section 3). */
const TOKENS = 32_768;
/** Each on a core of its own, so that hops and their buffers are a part of it. */
const STAGES = 2;
const PROMPT_TOKENS = 16;
const WARM_UP_TOKENS = 128;
/** The first and the last of this many steps are compared. */
const WINDOW_STEPS = 1_024;
/** Memory is told from this token on, and the most of all. */
const MEMORY_TOKEN = 20_000;
/** Memory is looked at after each so many tokens; stages report it every half a second. */
const LOOK_TOKENS = 256;
const SAY_TOKENS = 2_048;

interface Memory {
  /** megabytes at the first look after MEMORY_TOKEN */
  lateMb: number;
  worstMb: number;
}

export async function longSuite({ say }: SuiteContext): Promise<Figure[]> {
  const prompt = promptSource();
  await using cores = await takeCores();
  await using cluster = await bringUp({ modelDir: demoModelDir(), stages: STAGES, cores: cores.two });
  // the start is that of the answer, not of the processes
  await cluster.generate(prompt(PROMPT_TOKENS), WARM_UP_TOKENS);
  const memory: Memory = { lateMb: 0, worstMb: 0 };
  let saidAt = performance.now();
  const look = (index: number) => {
    if (index === 0 || index % LOOK_TOKENS !== 0) return;
    const overheadMb = worstOverheadMb(cluster.status().stages) ?? 0;
    if (index >= MEMORY_TOKEN) memory.lateMb ||= overheadMb;
    memory.worstMb = Math.max(memory.worstMb, overheadMb);
    if (index % SAY_TOKENS !== 0) return;
    const now = performance.now();
    const ms = ((now - saidAt) / SAY_TOKENS).toFixed(1);
    saidAt = now;
    say(`${index} tokens, lately ${ms} ms each, ${overheadMb.toFixed(1)} MB above tensors and KV`);
  };
  const generation = await cluster.generate(prompt(PROMPT_TOKENS), TOKENS, look);
  const startMs = stepMs(generation, 0, WINDOW_STEPS);
  const endMs = stepMs(generation, TOKENS - 1 - WINDOW_STEPS);
  say(`a step took ${startMs.toFixed(2)} ms at the start and ${endMs.toFixed(2)} ms at the end`);
  return figures(generation, memory, endMs / startMs, cores.two.text);
}

function figures({ tokens }: Generation, memory: Memory, slowing: number, placing: string): Figure[] {
  const compared = `one answer of ${TOKENS} tokens, ${STAGES} stages, demo model, ${placing}`;
  const told: Omit<Figure, 'suite' | 'holds' | 'compared'>[] = [
    { name: 'length of a long answer', value: tokens.length, unit: 'tokens', aim: `>= ${TOKENS}` },
    {
      name: `last ${WINDOW_STEPS} steps of a long answer against the first`,
      value: slowing,
      unit: 'times the time',
      aim: null,
    },
    {
      name: `resident memory of a stage above its tensors and KV after ${MEMORY_TOKEN} tokens`,
      value: memory.lateMb,
      unit: 'MB',
      aim: MEMORY_AIM,
    },
    {
      name: 'the most that it was during the answer',
      value: memory.worstMb,
      unit: 'MB',
      aim: MEMORY_AIM,
    },
  ];
  return told.map((of) => figure({ ...of, suite: 'long', compared }));
}
