// A timeline as a file for chrome://tracing and Perfetto: pure. One process a stage with a single thread: on it lie, one
// after the other, what the stage waited and the steps, each step over its phases, and arrows lead from stage to stage.
import { formatRange } from '../../protocol/plan.ts';
import type { ChromeEvent, TracedStep } from '../../protocol/trace.ts';
import { gapSpans, isGuess, type Span, stepEndUs, stepSpans } from './spans.ts';
import type { Timeline, TimelineStage } from './timeline.ts';

/**
 * @returns events in the order of time for each thread, a step before its phases. Spans begin and end at whole
 *   microseconds, so that they touch but never overlap: Perfetto takes overlapping ones of a thread apart.
 */
export function chromeEvents({ stages }: Timeline): ChromeEvent[] {
  return [
    ...stages.flatMap(names),
    ...stages.flatMap((stage) => stage.steps.flatMap((step) => stepEvents(stage, step))),
    ...arrows(stages),
  ];
}

/** Of steps that may turn out to be of no use. */
const GUESS_COLOUR = 'olive';

/** Viewers take process 0 for the system's idle process. */
function processOf({ index }: TimelineStage): { pid: number; tid: number } {
  return { pid: index + 1, tid: index + 1 };
}

function names(stage: TimelineStage): ChromeEvent[] {
  const { pid, tid } = processOf(stage);
  const name = `stage ${stage.index} · ${stage.node} · layers ${formatRange(stage.range)}`;
  return [
    { ph: 'M', name: 'process_name', pid, args: { name } },
    { ph: 'M', name: 'process_sort_index', pid, args: { sort_index: stage.index } },
    { ph: 'M', name: 'thread_name', pid, tid, args: { name: 'steps' } },
  ];
}

function stepEvents(stage: TimelineStage, step: TracedStep): ChromeEvent[] {
  const at = processOf(stage);
  const span = ({ phase, begin, end }: Span): ChromeEvent[] => {
    const from = Math.max(begin, 0); // what it waited before the first step of all is not part of the trace
    if (from >= end) return [];
    return [
      { ph: 'X', name: phase, cat: 'phase', ...at, ts: from, dur: end - from, args: { step: step.step } },
    ];
  };
  return [
    ...gapSpans(step).flatMap(span),
    {
      ph: 'X',
      name: stepName(step),
      cat: 'step',
      ...(isGuess(step) && { cname: GUESS_COLOUR }),
      ...at,
      ts: step.beginUs,
      dur: stepEndUs(step) - step.beginUs,
      args: {
        step: step.step,
        rows: step.rows,
        prefillTokens: step.prefillTokens,
        decodeTokens: step.decodeTokens,
        guessedTokens: step.guessedTokens,
        sentBytes: step.sentBytes,
      },
    },
    ...stepSpans(step).flatMap(span),
  ];
}

function stepName(step: TracedStep): string {
  const { prefillTokens, decodeTokens } = step;
  if (isGuess(step)) return 'guess';
  if (prefillTokens > 0) return decodeTokens > 0 ? 'prefill + decode' : 'prefill';
  return decodeTokens > 0 ? 'decode' : 'sessions'; // without tokens it opens or ends sessions
}

/** From where a stage sends a step to where the next one takes it up, and from the last one back to the first. */
function arrows(stages: readonly TimelineStage[]): ChromeEvent[] {
  const [head] = stages;
  return stages.flatMap((from, i) => {
    const next = stages[i + 1];
    const to = next ?? head;
    if (!to || to === from) return [];
    const ends = next ? takings(next) : answers(to);
    return from.steps.flatMap((step): ChromeEvent[] => {
      const sending = stepSpans(step).find(({ phase }) => phase === 'send');
      const end = ends.get(step.step);
      if (!sending || end === undefined) return [];
      const common = { name: 'hop', cat: 'hop', id: step.step * 1000 + from.index };
      return [
        { ph: 's', ...common, ...processOf(from), ts: justAfter(sending.begin) },
        { ph: 'f', bp: 'e', ...common, ...processOf(to), ts: end },
      ];
    });
  });
}

/** When each step is taken up, by its number. */
function takings({ steps }: TimelineStage): Map<number, number> {
  return new Map(
    steps.flatMap((step) => {
      const [taking] = stepSpans(step);
      return taking ? [[step.step, justAfter(taking.begin)]] : [];
    }),
  );
}

/** When each step's answer came back to the head, by its number, where that is within a span of the trace. */
function answers({ steps }: TimelineStage): Map<number, number> {
  const spans = steps.flatMap((step) => [...gapSpans(step), ...stepSpans(step)]);
  return new Map(
    steps.flatMap(({ step, answeredUs }) => {
      const into = spans.find(
        ({ begin, end }) => answeredUs !== null && begin <= answeredUs && answeredUs < end,
      );
      return into && answeredUs !== null ? [[step, justAfter(answeredUs)]] : [];
    }),
  );
}

/** An arrow is tied to the span in which it ends; at the border of two it could be either. Spans are of whole microseconds. */
function justAfter(us: number): number {
  return us + 0.5;
}
