// The cluster's rate over the last minutes, for screens that have lines to spare.
import { formatAge, formatNumber } from '../format.ts';
import { chart, type GraphKind, resample, SAMPLES_A_CELL } from '../graph.ts';
import type { Series } from '../store.ts';
import { clipLine, type Line, span } from './line.ts';

/** Beside the chart, so that the highest rate can be read. */
const SCALE_WIDTH = 8;

/** @param lines with the heading and the empty line before it; 0 draws nothing */
export function rateChart({ samples }: Series, lines: number, columns: number, graph: GraphKind): Line[] {
  if (lines < 3) return [];
  const width = Math.max(1, columns - SCALE_WIDTH);
  const shown = resample(samples, width * SAMPLES_A_CELL[graph]);
  const peak = shown.reduce<number>((max, sample) => Math.max(max, sample ?? 0), 0);
  const drawn = chart(shown, peak, { width, lines: lines - 1 }, graph);
  const last = `the last ${formatAge(samples.length * 1_000)}`;
  return [
    [],
    [span('Tokens per second', 'title'), span(`  all requests together, ${last}`, 'quiet')] as Line,
    ...drawn.map((line, index): Line => {
      const scale = index === 0 ? formatNumber(peak) : index === drawn.length - 1 ? '0' : '';
      return [span(scale.padStart(SCALE_WIDTH - 2), 'quiet'), span('  '), span(line, 'accent')];
    }),
  ].map((line) => clipLine(line, columns));
}
