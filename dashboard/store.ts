// The dashboard's memory, pure: what the client reports goes in, the next view state comes out.
// It must not know sockets, clocks or how anything looks.
import type { ClusterStatus } from '../protocol/status.ts';

/** Samples of throughput kept per node: half a minute at the stream's two a second. */
export const HISTORY_SAMPLES = 60;

export type Connection =
  /** no picture yet; `trouble` says why, once an attempt has failed */
  | { kind: 'connecting'; trouble: string | null }
  | { kind: 'live' }
  /** the picture is old: `since` is when the first attempt failed, in milliseconds since 1970 */
  | { kind: 'gone'; trouble: string; since: number };

/** Tokens per second, oldest first; null where the node had no stage or had measured nothing. */
export type History = readonly (number | null)[];

export interface ViewState {
  connection: Connection;
  /** the last picture, kept while the controller is gone */
  status: ClusterStatus | null;
  clusterHistory: History;
  nodeHistory: ReadonlyMap<string, History>;
}

export type StoreEvent =
  | { kind: 'snapshot'; status: ClusterStatus }
  | { kind: 'gone'; trouble: string; at: number };

export const INITIAL_VIEW: ViewState = {
  connection: { kind: 'connecting', trouble: null },
  status: null,
  clusterHistory: [],
  nodeHistory: new Map(),
};

/** The view state after an event; the one before is not changed. */
export function reduce(view: ViewState, event: StoreEvent): ViewState {
  return event.kind === 'snapshot' ? withSnapshot(view, event.status) : withoutController(view, event);
}

function withSnapshot(view: ViewState, status: ClusterStatus): ViewState {
  // A reconnect may bring the same snapshot twice; another controller may have an earlier clock.
  if (view.status?.at === status.at && view.status.controllerPid === status.controllerPid) {
    return { ...view, connection: { kind: 'live' }, status };
  }
  const nodeHistory = new Map<string, History>();
  for (const node of status.nodes) {
    const stage = status.stages.find((candidate) => candidate.nodeId === node.id);
    // A lost node measures nothing: its last report must not go on as if it did.
    const rate = node.state === 'lost' ? null : (stage?.tokensPerSecond ?? null);
    nodeHistory.set(node.id, append(view.nodeHistory.get(node.id), rate));
  }
  return {
    connection: { kind: 'live' },
    status,
    clusterHistory: append(view.clusterHistory, status.tokensPerSecond),
    nodeHistory,
  };
}

function withoutController(view: ViewState, { trouble, at }: { trouble: string; at: number }): ViewState {
  if (view.status === null) return { ...view, connection: { kind: 'connecting', trouble } };
  const since = view.connection.kind === 'gone' ? view.connection.since : at;
  return { ...view, connection: { kind: 'gone', trouble, since } };
}

function append(history: History | undefined, sample: number | null): History {
  return [...(history ?? []), sample].slice(-HISTORY_SAMPLES);
}
