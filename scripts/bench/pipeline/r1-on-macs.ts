// DeepSeek R1 on 2 to 8 Macs as simulated pipelines: stage and hop times are the planner's for the hardware on paper.
import { builtinCard } from '../../../controller/models/builtin.ts';
import { TYPICAL_CONTEXT_TOKENS } from '../../../controller/planner/cost.ts';
import { parseHardware } from '../../../controller/planner/hardware.ts';
import { hopMs } from '../../../controller/planner/links.ts';
import { makePlan } from '../../../controller/planner/planner.ts';
import { placePlan, stageDecodeMs, stepBytes } from '../../../controller/planner/predict.ts';
import { type SimulatedPipeline, simulatedSpeed } from './simulate.ts';

const TOKENS = 2_000;

export const MACS = [2, 3, 4, 6, 8] as const;
export const YIELDS = [0.5, 0.7, 0.8, 0.9, 0.95] as const;

export interface SimulatedRow {
  macs: number;
  off: number;
  /** one guess a step, and as many as pay by the cost curve, at each of YIELDS */
  oneRow: number[];
  asPays: number[];
  /** the best of 1 to 8 guesses a step, chosen afterwards */
  best: number[];
}

/** @param guessMs of one guess on the first stage: a draft's, or 0 for n-grams */
export async function r1OnMacs(hardware: string, link: string, guessMs: number): Promise<SimulatedRow[]> {
  const card = await builtinCard('deepseek-r1-4bit');
  return MACS.map((macs) => {
    const { nodes, ...links } = parseHardware(`${macs}x ${hardware}, ${link}`);
    const plan = makePlan({ ...links, card, nodes, goal: 'throughput', contextTokens: 8_192, streams: 1 });
    const placed = placePlan(card, plan, nodes);
    const times = Array.from({ length: 9 }, (_, rows) =>
      stageDecodeMs(placed, { rows: Math.max(rows, 1), contextTokens: TYPICAL_CONTEXT_TOKENS }),
    );
    const bytes = stepBytes(placed, 1);
    const pipeline = {
      stageMs: placed.stages.map((_, i) => (rows: number) => times[rows]?.[i] ?? 0),
      hopMs: placed.links.map((each, i) => hopMs(each, bytes[i] ?? 0)),
      guessMs,
    };
    const speed = (of: Pick<SimulatedPipeline, 'yieldShare' | 'rows'>) =>
      simulatedSpeed({ ...pipeline, ...of }, TOKENS);
    return {
      macs,
      off: speed({ yieldShare: undefined }),
      oneRow: YIELDS.map((yieldShare) => speed({ yieldShare, rows: 1 })),
      asPays: YIELDS.map((yieldShare) => speed({ yieldShare })),
      best: YIELDS.map((yieldShare) =>
        Math.max(...Array.from({ length: 8 }, (_, i) => speed({ yieldShare, rows: i + 1 }))),
      ),
    };
  });
}
