// A traced step as spans on a line of time, and what intervals have in common. Pure; units are the caller's.
import type { TracedStep, TracePhase } from '../../protocol/trace.ts';

export interface Interval {
  begin: number;
  end: number;
}

export interface Span extends Interval {
  phase: TracePhase;
}

/** What the stage did between the end of the step before and this one's begin; empty spans are left out. */
export function gapSpans({ beginUs, restUs, tidyUs, waitUs }: TracedStep): Span[] {
  return inRow(beginUs - waitUs - tidyUs - restUs, [
    ['wait', restUs],
    ['tidy', tidyUs],
    ['wait', waitUs],
  ]);
}

/** What the stage did with the step; empty spans are left out. */
export function stepSpans(step: TracedStep): Span[] {
  return inRow(step.beginUs, [
    ['deserialize', step.deserializeUs],
    ['compute', step.computeUs],
    ['serialize', step.serializeUs],
    ['send', step.sendUs],
    ['finish', step.finishUs],
  ]);
}

/** Whether a step holds nothing but guesses. */
export function isGuess({ prefillTokens, decodeTokens, guessedTokens }: TracedStep): boolean {
  return guessedTokens > 0 && prefillTokens + decodeTokens === 0;
}

/** When the stage was done with a step. */
export function stepEndUs(step: TracedStep): number {
  return sentUs(step) + step.finishUs;
}

/** When the socket had the step's frame. */
export function sentUs(step: TracedStep): number {
  return step.beginUs + step.deserializeUs + step.computeUs + step.serializeUs + step.sendUs;
}

function inRow(beginUs: number, parts: readonly (readonly [TracePhase, number])[]): Span[] {
  const spans: Span[] = [];
  let at = beginUs;
  for (const [phase, duration] of parts) {
    if (duration > 0) spans.push({ phase, begin: at, end: at + duration });
    at += duration;
  }
  return spans;
}

/**
 * The same time as intervals that are sorted and apart.
 * @param bridge pauses up to this long are taken in
 */
export function union(intervals: readonly Interval[], bridge = 0): Interval[] {
  const apart: Interval[] = [];
  const filled = intervals.filter(({ begin, end }) => begin < end);
  for (const { begin, end } of filled.sort((a, b) => a.begin - b.begin)) {
    const last = apart.at(-1);
    if (last && begin <= last.end + bridge) last.end = Math.max(last.end, end);
    else apart.push({ begin, end });
  }
  return apart;
}

/** How much of an interval lies within others, which are sorted and apart. */
export function overlap({ begin, end }: Interval, within: readonly Interval[]): number {
  let low = 0;
  let high = within.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((within[middle] as Interval).end <= begin) low = middle + 1;
    else high = middle;
  }
  let total = 0;
  for (let i = low; i < within.length; i++) {
    const other = within[i] as Interval;
    if (other.begin >= end) break;
    total += Math.min(end, other.end) - Math.max(begin, other.begin);
  }
  return total;
}

export function lengthOf(intervals: readonly Interval[]): number {
  return intervals.reduce((sum, { begin, end }) => sum + end - begin, 0);
}
