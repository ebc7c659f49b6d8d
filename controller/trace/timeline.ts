// The steps of all stages on one clock: pure. It takes what the stages told, lines their clocks up and cuts out the last
// steps; what is to be seen in them is the business of others.
import type { LayerRange } from '../../protocol/plan.ts';
import type { TracedStep, TracedSteps } from '../../protocol/trace.ts';
import { alignClocks, type Clock } from './clocks.ts';

/** A stage of the deployment and what it told. */
export interface ToldStage {
  index: number;
  nodeId: string;
  /** the node's name */
  node: string;
  range: LayerRange;
  /** undefined when it did not answer in time */
  steps: TracedSteps | undefined;
}

export interface TimelineStage extends ToldStage {
  /** on the timeline's clock: 0 is when the first of all its steps began */
  steps: TracedSteps;
  clock: Clock;
}

export interface Timeline {
  /** the moment 0, microseconds since 1970 on the first answering stage's clock; undefined without steps */
  startUs: number | undefined;
  /** the stages that answered, in the order of the ring */
  stages: TimelineStage[];
  /** those that did not */
  missing: ToldStage[];
}

/**
 * @param stages in the order of the ring
 * @param count how many of the last steps
 */
export function makeTimeline(stages: readonly ToldStage[], count: number): Timeline {
  const missing = stages.filter(({ steps }) => steps === undefined);
  const told = stages.flatMap((stage) => (stage.steps ? [{ ...stage, steps: stage.steps }] : []));
  // all that is known helps to line the clocks up, also steps before the ones that are shown
  const clocks = alignClocks(
    told.map(({ steps }) => steps),
    told[0]?.index === 0,
  );
  const last = Math.max(0, ...told.map(({ steps }) => steps.at(-1)?.step ?? 0));
  const aligned = told.map((stage, i) => {
    const clock = clocks[i] as Clock;
    const shown = stage.steps.filter(({ step }) => step > last - count);
    return { ...stage, clock, steps: shown.map((step) => shifted(step, clock.offsetUs)) };
  });
  const begins = aligned.flatMap(({ steps }) => (steps[0] ? [steps[0].beginUs] : []));
  if (begins.length === 0) return { startUs: undefined, stages: aligned, missing };
  const startUs = Math.min(...begins);
  return {
    startUs,
    stages: aligned.map((stage) => ({ ...stage, steps: stage.steps.map((step) => shifted(step, -startUs)) })),
    missing,
  };
}

function shifted(step: TracedStep, byUs: number): TracedStep {
  const { beginUs, answeredUs } = step;
  return { ...step, beginUs: beginUs + byUs, answeredUs: answeredUs === null ? null : answeredUs + byUs };
}
