// A trace in a few lines for people, pure: where the time went on each stage, and what to think of it.
import { formatDuration, formatPlural, formatShare, printable } from '../../../dashboard/format.ts';
import { formatRange } from '../../../protocol/plan.ts';
import type { StageTimes, TraceMetadata, TracePhase } from '../../../protocol/trace.ts';
import { table } from '../table.ts';

/** The columns of what every step goes through, as people think of it. */
const COLUMNS: [heading: string, phases: TracePhase[]][] = [
  ['wait', ['wait']],
  ['compute', ['compute']],
  ['serialize', ['deserialize', 'serialize']],
  ['send', ['send']],
];
/** What some steps have and others do not: a time a step would say little. */
const OTHER: TracePhase[] = ['tidy', 'finish'];

/** Several lines without a last line break; without steps the sentence that says so. */
export function traceReport({ summary, stages, model, epoch, ranks, draft }: TraceMetadata): string {
  if (ranks) return ranksReport(ranks, stages, summary.verdict);
  const { steps, guessedSteps = 0, activeUs, verdict } = summary;
  if (steps === 0) return `${printable(verdict)} Ask something first, for example with \`espalier chat\`.`;
  const headline =
    `The last ${formatPlural(steps, 'step')}${guessedSteps > 0 ? ` (${guessedSteps} of them guesses)` : ''} ` +
    `of ${printable(model)}, epoch ${epoch}: ` +
    `${formatMicroseconds(activeUs)} with at least one on its way` +
    (draft?.place === 'apart' ? `; guessed for by the draft on ${printable(draft.node)}` : '');
  const heading = ['stage', 'node', 'layers', 'steps', 'busy', ...COLUMNS.map(([name]) => name), 'other'];
  const rows = stages.map(({ index, node, range }) => {
    const times = summary.stages.find((stage) => stage.index === index);
    const cells = times ? stageCells(times) : ['no answer in time'];
    return [String(index), printable(node), formatRange(range), ...cells];
  });
  const legend =
    'The median of a step and the share of the time. serialize: tensors to bytes and back; other: tidying up memory, ' +
    'preparing the next step.';
  return [
    headline,
    table([heading, ...rows], { right: [0, 3, 4, 5, 6, 7, 8, 9] }),
    legend,
    printable(verdict),
  ].join('\n\n');
}

/** Of MLX Distributed: a row for each rank instead of steps. */
function ranksReport(
  ranks: NonNullable<TraceMetadata['ranks']>,
  stages: TraceMetadata['stages'],
  verdict: string,
): string {
  const rows = stages.map(({ index, node, range }) => {
    const times = ranks.find((rank) => rank.index === index);
    const cells = times
      ? [formatDuration(times.computeMs), formatDuration(times.waitMs)]
      : ['no step timed yet'];
    return [String(index), printable(node), formatRange(range), ...cells];
  });
  const heading = ['stage', 'node', 'layers', 'compute', 'wait'];
  return [table([heading, ...rows], { right: [0, 3, 4] }), printable(verdict)].join('\n\n');
}

function stageCells({ steps, busyShare, phases }: StageTimes): string[] {
  const shareOf = (of: readonly TracePhase[]) => sum(of.map((phase) => phases[phase].share));
  const times = COLUMNS.map(([, of]) => {
    const medianUs = sum(of.map((phase) => phases[phase].medianUs));
    return `${formatMicroseconds(medianUs)} ${formatShare(shareOf(of)).padStart(4)}`;
  });
  return [String(steps), formatShare(busyShare), ...times, formatShare(shareOf(OTHER))];
}

function formatMicroseconds(us: number): string {
  return us < 999.5 ? `${us.toFixed(0)} µs` : formatDuration(us / 1000);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
