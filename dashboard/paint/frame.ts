// The whole screen from what is known, what the person looks at, and a size: exactly so many lines, none wider. It reads
// no clock and no environment: the same input gives the same characters.
import { ERRORS } from '../../protocol/errors.ts';
import type { ClusterStatus } from '../../protocol/status.ts';
import { printable } from '../format.ts';
import { shareLines } from '../layout.ts';
import { limitingStage } from '../limiting.ts';
import { nodeRows } from '../node-rows.ts';
import { type Notice, noticesOf } from '../notices.ts';
import { shownNodes, shownRequests } from '../shown.ts';
import type { ViewState } from '../store.ts';
import type { Talk } from '../talk.ts';
import type { Ui } from '../ui.ts';
import { chatLines } from './chat.ts';
import { nodeDetailLines, requestDetailLines } from './detail.ts';
import { footLines } from './foot.ts';
import { happenedLines } from './happened.ts';
import { headLines } from './head.ts';
import { helpLines } from './help.ts';
import { beside, clipLine, type Line, span } from './line.ts';
import type { Look } from './look.ts';
import { pipelineLines } from './nodes.ts';
import { rateChart } from './rate-chart.ts';
import { requestLines } from './requests.ts';
import { wrap } from './text.ts';

export interface FrameInput {
  view: ViewState;
  ui: Ui;
  talk: Talk;
  size: { columns: number; rows: number };
  /** milliseconds since 1970 */
  now: number;
  /** the controller's address, for reading only */
  controller: string;
  /** whether there is a keyboard */
  hasKeys: boolean;
  look: Look;
}

export interface FrameLine {
  line: Line;
  /** it belongs to a picture that is old */
  isStale: boolean;
}

const MAX_NOTICE_LINES = 3;
/** Between what stands side by side. */
const GAP = 2;

export function frame(input: FrameInput): FrameLine[] {
  const { size, view } = input;
  const { columns, rows } = size;
  if (rows < 1 || columns < 1) return [];
  const fresh = (line: Line): FrameLine => ({ line: clipLine(line, columns), isStale: false });
  const foot = footLines(input).map(fresh).slice(0, rows);
  const height = rows - foot.length;
  const body = view.status === null ? connecting(input).map(fresh) : picture(input, view.status, height);
  const shown = body.slice(0, height);
  const empty = Array.from({ length: height - shown.length }, () => fresh([]));
  return [...shown, ...empty, ...foot];
}

/** Before the first picture: which controller is looked for, what is wrong, and what to do about it. */
function connecting({ view, controller, size }: FrameInput): Line[] {
  const trouble = view.connection.kind === 'connecting' ? view.connection.trouble : null;
  const title: Line = [
    span('Espalier', 'title'),
    span(`  looking for a controller at ${printable(controller)} …`),
  ];
  if (trouble === null) return [title];
  const fix = `→ ${ERRORS.controller_unreachable.solve}`;
  return [
    title,
    [],
    ...wrap(`✗ ${printable(trouble)}`, size.columns).map((line): Line => [span(line, 'bad')]),
    ...wrap(fix, size.columns).map((line): Line => [span(line, 'accent')]),
  ];
}

function picture(input: FrameInput, status: ClusterStatus, height: number): FrameLine[] {
  const { view, ui, size, now, look } = input;
  const { columns } = size;
  const isStale = view.connection.kind === 'gone';
  const mark = (line: Line): FrameLine => ({ line: clipLine(line, columns), isStale });
  const notices = noticesOf(view, now);
  const gone = notices
    .filter(({ kind }) => kind === 'gone')
    .flatMap((notice) => noticeLines(notice, columns));
  const [first = [], second = []] = headLines(status, view.clusterSeries, look, columns, ui.isPaused);
  const reasons = notices
    .filter(({ kind }) => kind === 'reason')
    .flatMap((notice) => noticeLines(notice, columns));
  const head = [mark(first), ...reasons.map(mark), mark(second)];
  const above: FrameLine[] = [...gone.map((line) => ({ line, isStale: false })), ...head];
  const room = height - above.length;
  const body = overlay(input, status, room) ?? panes(input, status, above.length);
  return [...above, ...body.map(mark)];
}

function noticeLines({ kind, text }: Notice, columns: number): Line[] {
  const tone = kind === 'gone' ? 'bad' : 'warn';
  return wrap(text, columns, MAX_NOTICE_LINES).map((line): Line => [span(line, tone)]);
}

/** What takes the place of the panes; undefined where nothing does. */
function overlay(input: FrameInput, status: ClusterStatus, lines: number): Line[] | undefined {
  const { ui, view, size, look, talk } = input;
  const { columns } = size;
  const limiting = limitingStage(status);
  if (ui.overlay === 'help') return helpLines(columns);
  if (ui.overlay === 'chat') {
    const isTyping = ui.typing === 'chat';
    return chatLines({ status, talk, draft: ui.draft, isTyping, lines, columns });
  }
  if (ui.overlay !== 'detail') return undefined;
  if (ui.pane === 'requests') {
    const requests = shownRequests(status.requests, ui.filter);
    const request = requests.find(({ id }) => id === ui.requestId) ?? requests[0];
    return request ? requestDetailLines(request, status, columns) : undefined;
  }
  if (ui.pane === 'happened')
    return happenedLines({
      ...{ status, filter: ui.filter, scroll: ui.scroll, isFocused: true, lines: lines - 1, columns },
    });
  const rows = shownNodes(nodeRows(status), ui.filter);
  const row = rows.find(({ key }) => key === ui.nodeKey) ?? rows[0];
  if (!row) return undefined;
  const series = row.node ? view.nodeSeries.get(row.node.id) : undefined;
  return nodeDetailLines({ row, series, limiting, graph: look.graph, columns });
}

function panes({ view, ui, size, look }: FrameInput, status: ClusterStatus, headCount: number): Line[] {
  const { columns } = size;
  const limiting = limitingStage(status);
  const rows = shownNodes(nodeRows(status), ui.filter);
  const requests = shownRequests(status.requests, ui.filter);
  const share = shareLines(size, {
    headLines: headCount,
    nodeCount: rows.length,
    requestCount: requests.length,
    hasReason: limiting !== null,
  });
  const gap: Line[] = share.isSpaced ? [[]] : [];
  const pipeline = pipelineLines({
    rows,
    selected: placeOf(rows, ui.nodeKey),
    isFocused: ui.pane === 'nodes',
    series: view.nodeSeries,
    limiting,
    density: share.density,
    lines: share.nodes,
    columns,
    graph: look.graph,
  });
  const reason: Line[] =
    limiting === null ? [] : [clipLine([span('  ◆ ', 'warn'), span(limiting.reason, 'quiet')], columns)];
  const half = share.isSideBySide ? Math.floor((columns - GAP) / 2) : columns;
  const asked = requestLines({
    ...{ status, requests, columns: half, lines: share.requests, isFocused: ui.pane === 'requests' },
    selected: Math.max(
      0,
      requests.findIndex(({ id }) => id === ui.requestId),
    ),
  });
  const happened = happenedLines({
    ...{ status, filter: ui.filter, scroll: ui.scroll, isFocused: ui.pane === 'happened' },
    ...{ lines: share.happened, columns: share.isSideBySide ? columns - half - GAP : columns },
  });
  const below = share.isSideBySide ? beside(asked, happened, half, GAP) : [...asked, ...gap, ...happened];
  const rates = rateChart(view.clusterSeries, share.chart, columns, look.graph);
  return [...gap, ...pipeline, ...reason, ...rates, ...gap, ...below];
}

function placeOf(rows: readonly { key: string }[], key: string | null): number {
  return Math.max(
    0,
    rows.findIndex((row) => row.key === key),
  );
}
