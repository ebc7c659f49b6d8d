// The cluster in two lines: what runs and how it is, then how fast it is, beside what was predicted.
import type { ClusterStatus } from '../../protocol/status.ts';
import { formatDuration, formatNumber, formatShare, printable } from '../format.ts';
import { type GraphKind, sparkline } from '../graph.ts';
import type { Series } from '../store.ts';
import { joinFitting, type Line, span, spread } from './line.ts';
import { CLUSTER_MARKS } from './states.ts';

/** A sparkline that takes more room than the figures draws the eye away from them. */
const HISTORY_SHARE = 1 / 6;
const NARROW_HISTORY = 8;
const WITH_HISTORY_COLUMNS = 76;
const WIDE_COLUMNS = 110;

export function headLines(
  status: ClusterStatus,
  series: Series,
  look: { graph: GraphKind },
  columns: number,
  isPaused: boolean,
): Line[] {
  return [firstLine(status, columns, isPaused), secondLine(status, series, look.graph, columns)];
}

function firstLine(status: ClusterStatus, columns: number, isPaused: boolean): Line {
  const { model, state, engine, epoch } = status;
  const { mark, tone } = CLUSTER_MARKS[state];
  const name = model === null ? 'no model yet' : printable(model.id);
  const details = [model?.quantization ?? '', engine, `epoch ${epoch}`].filter((text) => text !== '');
  const left = joinFitting(
    [
      [span('Espalier', 'title')],
      [span(name, 'accent')],
      ...details.map((text): Line => [span(printable(text), 'quiet')]),
    ],
    columns - 14,
  );
  const paused: Line = isPaused ? [span('paused', 'selected'), span('  ')] : [];
  return spread(left, [...paused, span(`${mark} ${state}`, tone)], columns);
}

function secondLine(status: ClusterStatus, series: Series, graph: GraphKind, columns: number): Line {
  const parts: Line[] = [
    [span(formatNumber(status.tokensPerSecond), 'title'), span(' tok/s now')],
    ...(columns >= WITH_HISTORY_COLUMNS ? [[span(historyOf(series, graph, columns), 'accent')]] : []),
    [span(`${formatNumber(status.tokensPerSecondMinute)} last minute`)],
    [span(`first token ${formatDuration(status.timeToFirstTokenMs)}`)],
    ...predictedParts(status, columns >= WIDE_COLUMNS),
    [span(`${status.requestsRunning} running, ${status.requestsWaiting} waiting`)],
  ];
  return joinFitting(parts, columns);
}

function historyOf({ samples }: Series, graph: GraphKind, columns: number): string {
  const width = columns < WIDE_COLUMNS ? NARROW_HISTORY : Math.floor(columns * HISTORY_SHARE);
  const peak = samples.reduce<number>((max, sample) => Math.max(max, sample ?? 0), 0);
  return sparkline(samples, peak, width, graph);
}

/** What was measured, as a share of what the cost model predicts for as many streams. */
function predictedParts({ predicted, tokensPerSecond }: ClusterStatus, isWide: boolean): Line[] {
  if (predicted == null) return [];
  const { now, oneStream, allStagesBusy } = predicted;
  if (now === null) {
    const alone = `predicted ${formatNumber(oneStream)}`;
    const both = `${alone} alone, ${formatNumber(allStagesBusy)} all busy`;
    return [[span(isWide ? both : alone, 'quiet')]];
  }
  const share = now.tokensPerSecond > 0 ? tokensPerSecond / now.tokensPerSecond : null;
  const ratio = formatShare(share);
  const long = `predicted ${formatNumber(now.tokensPerSecond)}, measured ${ratio} of it`;
  return [[span(isWide ? long : `${ratio} of predicted`, 'quiet')]];
}
