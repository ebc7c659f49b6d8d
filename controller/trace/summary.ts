// Why it is slow, from a timeline: pure. Only the time counts in which a step was on its way somewhere: a cluster that
// nobody asks anything is not slow.
import type { RoundTimes, StageTimes, TracedStep, TraceSummary } from '../../protocol/trace.ts';
import { TRACE_PHASES } from '../../protocol/trace.ts';
import {
  gapSpans,
  type Interval,
  isGuess,
  lengthOf,
  overlap,
  type Span,
  sentUs,
  stepEndUs,
  stepSpans,
  union,
} from './spans.ts';
import type { Timeline, TimelineStage } from './timeline.ts';
import { verdict } from './verdict.ts';

/**
 * A shorter pause without any step on its way is the cluster's own, between two tokens (it tidies up, at most 12 ms, and
 * makes the next step); in a longer one nobody asks.
 */
const PAUSE_US = 20_000;

/** Says where the time of a timeline's steps went. */
export function summarize({ stages, missing }: Timeline): TraceSummary {
  const active = activeIntervals(stages);
  const activeUs = lengthOf(active);
  const times = stages.map((stage) => stageTimes(stage, active, activeUs));
  const round = missing.length === 0 ? roundTimes(stages) : null;
  const steps = new Set(stages.flatMap((stage) => stage.steps.map(({ step }) => step))).size;
  const guessedSteps = new Set(stages.flatMap((stage) => stage.steps.filter(isGuess).map(({ step }) => step)))
    .size;
  const silent = missing.map(({ index }) => index);
  const why = verdict({ steps, stages: times, round, silent });
  return { steps, ...(guessedSteps > 0 && { guessedSteps }), activeUs, stages: times, round, verdict: why };
}

/** When at least one step was on its way: from its first begin to the answer, or to where it was last seen. */
function activeIntervals(stages: readonly TimelineStage[]): Interval[] {
  const ways = new Map<number, Interval>();
  for (const { steps } of stages) {
    for (const step of steps) {
      const way = ways.get(step.step) ?? { begin: step.beginUs, end: step.beginUs };
      way.begin = Math.min(way.begin, step.beginUs);
      way.end = Math.max(way.end, sentUs(step), step.answeredUs ?? 0);
      ways.set(step.step, way);
    }
  }
  return union([...ways.values()], PAUSE_US);
}

function stageTimes(stage: TimelineStage, active: readonly Interval[], activeUs: number): StageTimes {
  const { index, node, range, steps } = stage;
  // of each step, what each phase took while a step was on its way
  const taken = steps.map((step) => {
    const spans = [...gapSpans(step), ...stepSpans(step)];
    return (phase: Span['phase']) =>
      spans.reduce((sum, span) => sum + (span.phase === phase ? overlap(span, active) : 0), 0);
  });
  const totals = new Map(TRACE_PHASES.map((phase) => [phase, taken.map((of) => of(phase))]));
  const shareOf = (us: number) => (activeUs > 0 ? Math.min(us / activeUs, 1) : 0);
  const busyUs = TRACE_PHASES.reduce(
    (sum, phase) => (phase === 'wait' ? sum : sum + total(totals.get(phase) ?? [])),
    0,
  );
  const phases = Object.fromEntries(
    TRACE_PHASES.map((phase) => {
      const values = totals.get(phase) ?? [];
      // not what was seen of waiting: a stage also waits after its last step and before its first
      const us = phase === 'wait' ? activeUs - busyUs : total(values);
      return [phase, { medianUs: median(values), share: shareOf(Math.max(us, 0)) }];
    }),
  ) as StageTimes['phases'];
  return { index, node, range, steps: steps.length, busyShare: shareOf(busyUs), phases };
}

/** The ways of those steps that were seen on every stage, and came back where there is somewhere to come back from. */
function roundTimes(stages: readonly TimelineStage[]): RoundTimes | null {
  const [head, ...others] = stages;
  if (!head) return null;
  const known = others.map(({ steps }) => new Map(steps.map((step) => [step.step, step])));
  const busy = stages.map(({ steps }) => union(steps.flatMap(busySpans)));
  const sum = { compute: 0, bytes: 0, link: 0, queue: 0, rounds: 0 };
  for (const first of head.steps) {
    const way = [first, ...known.map((steps) => steps.get(first.step))].filter((step) => step !== undefined);
    if (way.length < stages.length || (others.length > 0 && first.answeredUs === null)) continue;
    sum.rounds += 1;
    for (const [i, step] of way.entries()) {
      sum.compute += step.computeUs;
      sum.bytes += step.deserializeUs + step.serializeUs + step.sendUs;
      const arrivedUs = way[i + 1]?.beginUs ?? first.answeredUs;
      if (arrivedUs === null) continue; // of a cluster of one stage
      const hop = { begin: sentUs(step), end: Math.max(arrivedUs, sentUs(step)) };
      const queuedUs = overlap(hop, busy[(i + 1) % stages.length] ?? []);
      sum.queue += queuedUs;
      sum.link += hop.end - hop.begin - queuedUs;
    }
  }
  const wholeUs = sum.compute + sum.bytes + sum.link + sum.queue;
  if (wholeUs === 0) return null;
  return {
    meanUs: wholeUs / sum.rounds,
    computeShare: sum.compute / wholeUs,
    bytesShare: sum.bytes / wholeUs,
    linkShare: sum.link / wholeUs,
    queueShare: sum.queue / wholeUs,
  };
}

function busySpans(step: TracedStep): Interval[] {
  const tidying = gapSpans(step).filter(({ phase }) => phase === 'tidy');
  return [...tidying, { begin: step.beginUs, end: stepEndUs(step) }];
}

function total(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2;
}
