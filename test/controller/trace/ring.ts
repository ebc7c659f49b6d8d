// A ring of stages on paper, for the tests of the trace: it lets steps go round and writes down what each stage would
// have measured by its own clock. Times are microseconds.
import type { ToldStage } from '../../../controller/trace/timeline.ts';
import type { TracedStep } from '../../../protocol/trace.ts';

export interface RingOptions {
  /** of each stage */
  computeUs: number[];
  /** from each stage to the next, the last one to the first; the answer on its way back too */
  linkUs: number[];
  /** what each stage's clock shows at the true time 0 */
  clockUs?: number[];
  /** how much faster than true time each clock runs, in parts of a million */
  driftPpm?: number[];
  steps?: number;
  /** steps on their way at once */
  inFlight?: number;
  serializeUs?: number;
  /** memory is tidied up for so long before every third step */
  tidyUs?: number;
  /** nobody asks for so long before a step */
  pauseUs?: (step: number) => number;
}

/** The stages of a deployment and what they tell. */
export function ring(options: RingOptions): (ToldStage & { steps: TracedStep[] })[] {
  const { computeUs, linkUs, steps = 20, inFlight = 1, serializeUs = 40, tidyUs = 0, pauseUs } = options;
  const count = computeUs.length;
  const local = (stage: number, trueUs: number) => {
    const rate = 1 + (options.driftPpm?.[stage] ?? 0) / 1e6;
    return Math.round((options.clockUs?.[stage] ?? 0) + trueUs * rate);
  };
  const stages = computeUs.map((_, index) => ({
    index,
    nodeId: `id-${index}`,
    node: `node-${index}`,
    range: { start: 4 * index, end: 4 * index + 4 },
    steps: [] as TracedStep[],
  }));
  /** true times */
  const free = computeUs.map(() => 0);
  const answered: number[] = [];
  for (let step = 1; step <= steps; step++) {
    let arrives = (answered[step - 1 - inFlight] ?? 0) + (pauseUs?.(step) ?? 0);
    for (const [i, stage] of stages.entries()) {
      const tidied = step % 3 === 0 ? tidyUs : 0;
      const freeUs = free[i] ?? 0;
      const beginUs = Math.max(arrives, freeUs + tidied);
      const sends = count > 1;
      const parts = {
        deserializeUs: i === 0 ? 0 : serializeUs,
        computeUs: computeUs[i] ?? 0,
        serializeUs: sends ? serializeUs : 0,
        sendUs: sends ? 10 : 0,
        finishUs: 5,
      };
      stage.steps.push({
        step,
        rows: 1,
        prefillTokens: step === 1 ? 9 : 0,
        decodeTokens: step === 1 ? 0 : 1,
        guessedTokens: 0,
        sentBytes: sends ? 1_000 : 0,
        beginUs: local(i, beginUs),
        restUs: 0,
        tidyUs: step === 1 ? 0 : tidied,
        waitUs: step === 1 ? 0 : Math.round(beginUs - freeUs - tidied),
        ...parts,
        answeredUs: null,
      });
      const handedUs = beginUs + parts.deserializeUs + parts.computeUs + parts.serializeUs;
      free[i] = handedUs + parts.sendUs + parts.finishUs;
      arrives = handedUs + (linkUs[i] ?? 0);
    }
    answered.push(arrives);
    const first = stages[0]?.steps.at(-1);
    if (first && count > 1) first.answeredUs = local(0, arrives);
  }
  return stages;
}
