// The dashboard's memory, pure: what the client reports goes in, the next view state comes out.
// It must not know sockets, clocks or how anything looks.
import type { ClusterHistory } from '../protocol/history.ts';
import { HISTORY_SAMPLES, HISTORY_STEP_MS } from '../protocol/limits.ts';
import type { ClusterStatus } from '../protocol/status.ts';

export type Connection =
  /** no picture yet; `trouble` says why, once an attempt has failed */
  | { kind: 'connecting'; trouble: string | null }
  | { kind: 'live' }
  /** the picture is old: `since` is when the first attempt failed, in milliseconds since 1970 */
  | { kind: 'gone'; trouble: string; since: number };

/** One sample a second, oldest first; null where there was none. */
export interface Series {
  /** the second of the last sample, counted from 1970 */
  end: number;
  samples: readonly (number | null)[];
}

export interface ViewState {
  connection: Connection;
  /** the last picture, kept while the controller is gone */
  status: ClusterStatus | null;
  /** tokens per second of the cluster, and of each node */
  clusterSeries: Series;
  nodeSeries: ReadonlyMap<string, Series>;
}

export type StoreEvent =
  | { kind: 'snapshot'; status: ClusterStatus }
  /** the ten minutes before the dashboard was opened */
  | { kind: 'history'; history: ClusterHistory }
  | { kind: 'gone'; trouble: string; at: number };

const NO_SERIES: Series = { end: 0, samples: [] };

export const INITIAL_VIEW: ViewState = {
  connection: { kind: 'connecting', trouble: null },
  status: null,
  clusterSeries: NO_SERIES,
  nodeSeries: new Map(),
};

/** The view state after an event; the one before is not changed. */
export function reduce(view: ViewState, event: StoreEvent): ViewState {
  switch (event.kind) {
    case 'snapshot':
      return withSnapshot(view, event.status);
    case 'history':
      return withHistory(view, event.history);
    case 'gone':
      return withoutController(view, event);
  }
}

function withSnapshot(view: ViewState, status: ClusterStatus): ViewState {
  const second = secondOf(status.at);
  const nodeSeries = new Map<string, Series>();
  for (const node of status.nodes) {
    const stage = status.stages.find((candidate) => candidate.nodeId === node.id);
    // A lost node measures nothing: its last report must not go on as if it did.
    const rate = node.state === 'lost' ? null : (stage?.tokensPerSecond ?? null);
    nodeSeries.set(node.id, append(view.nodeSeries.get(node.id) ?? NO_SERIES, second, rate));
  }
  return {
    connection: { kind: 'live' },
    status,
    clusterSeries: append(view.clusterSeries, second, status.tokensPerSecond),
    nodeSeries,
  };
}

function withHistory(view: ViewState, history: ClusterHistory): ViewState {
  const end = secondOf(history.at) - 1;
  const nodeSeries = new Map(view.nodeSeries);
  for (const { id, tokensPerSecond } of history.nodes)
    nodeSeries.set(id, joined({ end, samples: tokensPerSecond }, nodeSeries.get(id)));
  return {
    ...view,
    clusterSeries: joined({ end, samples: history.tokensPerSecond }, view.clusterSeries),
    nodeSeries,
  };
}

/** What was told of the past, and what has been seen since. */
function joined(past: Series, seen: Series = NO_SERIES): Series {
  const newer = Math.min(Math.max(0, seen.end - past.end), seen.samples.length);
  let series = past;
  for (let back = newer; back > 0; back--)
    series = append(series, seen.end - back + 1, seen.samples.at(-back) ?? null);
  return series;
}

function withoutController(view: ViewState, { trouble, at }: { trouble: string; at: number }): ViewState {
  if (view.status === null) return { ...view, connection: { kind: 'connecting', trouble } };
  const since = view.connection.kind === 'gone' ? view.connection.since : at;
  return { ...view, connection: { kind: 'gone', trouble, since } };
}

/** Several snapshots in one second are one sample, the last; seconds without one are unknown. */
function append({ end, samples }: Series, second: number, sample: number | null): Series {
  // another controller may have an earlier clock
  if (samples.length === 0 || second < end) return { end: second, samples: [sample] };
  if (second === end) return { end, samples: [...samples.slice(0, -1), sample] };
  const gap = Array<null>(Math.min(second - end - 1, HISTORY_SAMPLES)).fill(null);
  return { end: second, samples: [...samples, ...gap, sample].slice(-HISTORY_SAMPLES) };
}

function secondOf(at: number): number {
  return Math.floor(at / HISTORY_STEP_MS);
}
