// What the engine's measurements share: the model, the cores, one cluster of one stage on one core, and how a figure
// of theirs is written.
import type { BenchCluster } from '../bench-cluster.ts';
import { BENCH_MODEL } from '../bench-model.ts';
import type { Cores } from '../cores.ts';
import { type Figure, figure, type SuiteContext } from '../figure.ts';
import type { Generation } from '../generation.ts';
import type { PromptSource } from '../prompt.ts';

export interface EngineBed extends SuiteContext {
  modelDir: string;
  cores: Cores;
  /** a cluster of one stage, all of it on one core */
  single: BenchCluster;
  prompt: PromptSource;
}

/** Whatever generates: a cluster, or mlx-lm. */
export interface Side {
  generate(promptIds: number[], tokens: number): Promise<Generation>;
}

const WARM_UP_PROMPT_TOKENS = 256;
const WARM_UP_TOKENS = 64;

/** A fresh process is slower until its code is compiled: it answers once before anything is measured. */
export async function warmUp(side: Side, { prompt }: EngineBed): Promise<Generation> {
  return side.generate(prompt(WARM_UP_PROMPT_TOKENS), WARM_UP_TOKENS);
}

/**
 * A figure of this suite.
 * @param of `compared` says what was timed or weighed: rounds, cores and model are added to it
 * @param rounds undefined for what was not compared in turn
 * @param placing where the processes ran
 */
export function engineFigure(
  of: Omit<Figure, 'suite' | 'holds'>,
  rounds: number | undefined,
  placing: string,
): Figure {
  const often =
    rounds === undefined ? [] : [rounds === 1 ? 'one round' : `median of ${rounds} rounds in turn`];
  const compared = [of.compared, ...often, placing, BENCH_MODEL].join('; ');
  return figure({ ...of, suite: 'engine', compared });
}
