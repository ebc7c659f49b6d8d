// The requests: their counts as a heading, then the ones in work, the oldest first.
import type { ClusterStatus, RequestStatus } from '../../protocol/status.ts';
import { formatAge, formatCount, formatNumber, printable } from '../format.ts';
import { windowOf } from '../shown.ts';
import { clipLine, joinFitting, type Line, span } from './line.ts';
import { PHASE_MARKS } from './states.ts';
import { fit } from './text.ts';

export interface RequestsPicture {
  status: ClusterStatus;
  /** under the filter */
  requests: readonly RequestStatus[];
  selected: number;
  isFocused: boolean;
  /** below the heading */
  lines: number;
  columns: number;
}

const WITH_CLIENT_COLUMNS = 76;

export function requestLines({
  status,
  requests,
  selected,
  isFocused,
  lines,
  columns,
}: RequestsPicture): Line[] {
  const { requestsRunning, requestsWaiting, requestsCompleted, requestsFailed } = status;
  const heading = joinFitting(
    [
      [span('Requests', isFocused ? 'focus' : 'title')],
      [span(`${requestsRunning} running, ${requestsWaiting} waiting`)],
      [span(`${formatCount(requestsCompleted)} done, ${formatCount(requestsFailed)} failed`, 'quiet')],
    ],
    columns,
  );
  if (lines <= 0) return [heading];
  if (requests.length === 0) return [heading, [span('  none', 'quiet')]];
  const { begin, shown } = windowOf(requests.length, selected, lines);
  const drawn = requests
    .slice(begin, begin + shown)
    .map((request, offset) =>
      clipLine(requestLine(request, isFocused && begin + offset === selected, columns), columns),
    );
  const more = requests.length - shown;
  return [
    heading,
    ...drawn,
    ...(more > 0 && shown < lines ? [[span(`  and ${formatCount(more)} more`, 'quiet')]] : []),
  ];
}

function requestLine(request: RequestStatus, isSelected: boolean, columns: number): Line {
  const { mark, tone } = PHASE_MARKS[request.phase];
  const client =
    columns >= WITH_CLIENT_COLUMNS ? [span(fit(printable(request.client ?? '–'), 14)), span(' ')] : [];
  const phase =
    request.phase === 'waiting' && request.ahead != null ? `waits #${request.ahead + 1}` : request.phase;
  return [
    span(isSelected ? '▸' : ' ', 'focus'),
    span(`${mark} `, tone),
    span(fit(printable(request.id).slice(0, 8), 8), isSelected ? 'selected' : 'plain'),
    span(' '),
    ...client,
    span(fit(phase, 10)),
    span(' '),
    span(fit(formatAge(request.ageMs), 6, 'right'), 'quiet'),
    span(' '),
    span(fit(`${request.promptTokens} + ${request.tokens}`, 13, 'right')),
    span(fit(`${formatNumber(request.tokensPerSecond)} tok/s`, 11, 'right'), 'title'),
  ];
}
