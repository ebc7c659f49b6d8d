// What happened, the newest first: incidents with how long they lasted and what to do, and events. Whoever reads on
// scrolls.
import type { Incident } from '../../protocol/incidents.ts';
import type { ClusterEvent, ClusterStatus } from '../../protocol/status.ts';
import { formatClock, formatDuration, printable } from '../format.ts';
import { clipLine, type Line, span, type Tone } from './line.ts';
import { LEVEL_MARKS } from './states.ts';
import { cells, wrap } from './text.ts';

export interface HappenedPicture {
  status: ClusterStatus;
  filter: string;
  scroll: number;
  isFocused: boolean;
  /** below the heading */
  lines: number;
  columns: number;
}

interface Entry {
  at: number;
  mark: string;
  tone: Tone;
  text: string;
  /** what became of it */
  done: string | null;
  fix: string | null;
}

const CLOCK_WIDTH = 8;

export function happenedLines({
  status,
  filter,
  scroll,
  isFocused,
  lines,
  columns,
}: HappenedPicture): Line[] {
  const heading: Line = [span('What happened', isFocused ? 'focus' : 'title')];
  if (lines <= 0) return [clipLine(heading, columns)];
  const entries = entriesOf(status).filter(
    ({ text, fix }) => filter === '' || `${text} ${fix ?? ''}`.toLowerCase().includes(filter.toLowerCase()),
  );
  if (entries.length === 0) return [clipLine(heading, columns), [span('  nothing', 'quiet')]];
  // what lies beyond the window need not be wrapped
  const drawn: Line[] = [];
  for (const entry of entries) {
    if (drawn.length >= scroll + lines) break;
    drawn.push(...entryLines(entry, columns));
  }
  const begin = Math.min(scroll, Math.max(0, drawn.length - lines));
  const above: Line = begin > 0 ? [...heading, span(`  ${begin} lines further up`, 'quiet')] : heading;
  return [clipLine(above, columns), ...drawn.slice(begin, begin + lines)];
}

/** An incident tells the same as the event of its time, and more. */
function entriesOf({ events, incidents }: ClusterStatus): Entry[] {
  const told = new Set((incidents ?? []).map(({ seen }) => seen));
  const entries = [
    ...events.filter(({ text }) => !told.has(text)).map(ofEvent),
    ...(incidents ?? []).map(ofIncident),
  ];
  return entries
    .map((entry, index) => ({ entry, index }))
    .sort(newestFirst)
    .map(({ entry }) => entry);
}

function newestFirst(a: { entry: Entry; index: number }, b: { entry: Entry; index: number }): number {
  return b.entry.at - a.entry.at || b.index - a.index;
}

function ofEvent({ at, level, text, fix }: ClusterEvent): Entry {
  return { at, ...LEVEL_MARKS[level], text, done: null, fix };
}

function ofIncident({ at, outcome, seen, fix, done, pause }: Incident): Entry {
  const { planMs, loadMs, linkMs, replayMs } = pause;
  const known = [planMs, loadMs, linkMs, replayMs].filter((ms) => ms !== null);
  const lasted = formatDuration(known.reduce((sum, ms) => sum + ms, 0));
  const becameOf = {
    open: '◌ not over yet',
    serving: known.length > 0 ? `✓ serving again after ${lasted}` : '✓ serving again',
    impossible: `✗ it could not go on: ${done ?? ''}`,
  }[outcome];
  return { at, ...LEVEL_MARKS.error, text: seen, done: becameOf, fix };
}

function entryLines({ at, mark, tone, text, done, fix }: Entry, columns: number): Line[] {
  const begin: Line = [span(formatClock(at), 'quiet'), span(` ${mark} `, tone)];
  const indent = CLOCK_WIDTH + 2 + cells(mark);
  const width = Math.max(1, columns - indent);
  const under = span(' '.repeat(indent));
  const [first = '', ...rest] = wrap(printable(text), width);
  return [
    [...begin, span(first)],
    ...rest.map((line): Line => [under, span(line)]),
    ...(done === null ? [] : wrap(printable(done), width).map((line): Line => [under, span(line, 'quiet')])),
    ...(fix === null
      ? []
      : wrap(`→ ${printable(fix)}`, width).map((line): Line => [under, span(line, 'accent')])),
  ].map((line) => clipLine(line, columns));
}
