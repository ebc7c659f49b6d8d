// Several pieces of hardware side by side as text for people, pure.
import { formatBytes, formatCount, printable } from '../../../dashboard/format.ts';
import { wrap } from '../../../dashboard/wrap.ts';
import type { PlanReport } from '../../../protocol/plan-report.ts';
import { table } from '../table.ts';

export interface Compared {
  hardware: string;
  report: PlanReport | null;
  /** why there is no plan */
  refused: string | null;
}

/** What is compared, by its name. */
const ROWS: [name: string, cell: (report: PlanReport) => string][] = [
  ['nodes used', ({ stages }) => String(stages.length)],
  [
    'memory to use',
    ({ stages }) => formatBytes(stages.reduce((sum, { memory }) => sum + memory.usableBytes, 0)),
  ],
  ['one stream, tok/s', ({ predicted }) => predicted.oneStream.toFixed(1)],
  ['all stages busy, tok/s', ({ predicted }) => predicted.allStagesBusy.toFixed(1)],
  ['as asked, tok/s', ({ predicted }) => predicted.asked.tokensPerSecond.toFixed(1)],
  ['prefill, tok/s', ({ predicted }) => predicted.prefill.tokensPerSecond.toFixed(0)],
  ['longest context', ({ longestContextTokens }) => formatCount(longestContextTokens)],
];

/**
 * Side by side where the terminal is wide enough, else one after the other.
 * @param width of the terminal, in characters
 * @returns several lines without a last line break
 */
export function comparisonText(compared: readonly Compared[], width: number): string {
  const names = compared.map(({ hardware }, i) => `${letter(i)}: ${printable(hardware)}`);
  const first = compared.find(({ report }) => report !== null)?.report;
  const title = first
    ? `${printable(first.model.id)} for ${first.goal}, ${first.streams} × ${formatCount(first.contextTokens)} tokens; every speed is predicted`
    : 'None of them holds the model';
  const rows = ROWS.map(([name, cell]) => [
    name,
    ...compared.map(({ report }) => (report ? cell(report) : 'does not fit')),
  ]);
  const wide = table([['hardware', ...names], ...rows]);
  const isWide = wide.split('\n').every((line) => [...line].length <= width);
  const notes = compared.map(({ report, refused }) =>
    report === null ? (refused ?? '') : (report.limits[0]?.text ?? ''),
  );
  const note = (i: number) => wrap(`${letter(i)}: ${printable(notes[i] ?? '')}`, width, '   ');
  const body = isWide
    ? [wide, compared.map((_, i) => note(i)).join('\n')]
    : compared.map(({ report }, i) =>
        [
          wrap(names[i] ?? '', width, '   '),
          ...(report ? [table(ROWS.map(([name, cell]) => [`   ${name}`, cell(report)]))] : []),
          wrap(`   ${printable(notes[i] ?? '')}`, width, '   '),
        ].join('\n'),
      );
  return [wrap(title, width, '  '), ...body].join('\n\n');
}

/** A, B, … Z, 27, 28 … */
function letter(index: number): string {
  return index < 26 ? String.fromCharCode(65 + index) : String(index + 1);
}
