// The dashboard where there is no screen: one line, or one JSON object, per interval. It draws nothing twice and
// never moves a cursor, so that files and pipes hold plain text.
import { formatRange } from '../protocol/plan.ts';
import type { ClusterStatus } from '../protocol/status.ts';
import { fetchStatus, watchStatus } from './client.ts';
import { formatClock, formatDuration, formatNumber, printable } from './format.ts';
import { type NodeRow, nodeRows } from './node-rows.ts';
import { INITIAL_VIEW, reduce, type StoreEvent, type ViewState } from './store.ts';

export interface LinesOptions {
  controllerUrl: string;
  json: boolean;
  intervalMs: number;
  signal?: AbortSignal | undefined;
  /** receives one text without its line break */
  print(line: string): void;
  /** receives what must not stand between the objects of `--json` */
  complain(line: string): void;
}

/** A cluster in one line: state, speed, requests, then each node. */
export function statusLine(status: ClusterStatus): string {
  const parts = [
    `${formatClock(status.at)} ${status.state}${status.reason === null ? '' : ` (${printable(status.reason)})`}`,
    `${formatNumber(status.tokensPerSecond)} tok/s, ${formatNumber(status.tokensPerSecondMinute)} last minute`,
    `first token ${formatDuration(status.timeToFirstTokenMs)}`,
    `${status.requestsRunning} running, ${status.requestsWaiting} waiting`,
    ...nodeRows(status).map(nodePart),
  ];
  return parts.join(' | ');
}

function nodePart({ name, state, stage, draft }: NodeRow): string {
  const shown = printable(name);
  if (stage === null)
    return state === 'spare' ? `${shown} ${draft ? `draft ${draft.state}` : 'no stage'}` : `${shown} lost`;
  const place = `${shown} ${formatRange(stage.range)}`;
  if (state !== 'linked') return `${place} ${state}`;
  return `${place} ${formatNumber(stage.tokensPerSecond)} tok/s ${formatNumber(stage.stepTimeMs)} ms`;
}

/** Prints one snapshot and returns it. @throws EspalierError when there is none */
export async function printOnce({
  controllerUrl,
  json,
  signal,
  print,
}: Omit<LinesOptions, 'intervalMs' | 'complain'>): Promise<ClusterStatus> {
  const status = await fetchStatus(controllerUrl, signal);
  print(json ? JSON.stringify(status) : statusLine(status));
  return status;
}

/** Prints the newest snapshot once per interval until the signal. While the controller is gone it says so. */
export async function runLines(options: LinesOptions): Promise<void> {
  const { controllerUrl, json, intervalMs, signal, print, complain } = options;
  let view: ViewState = INITIAL_VIEW;
  let complaint = '';
  let printed: ClusterStatus | null = null;

  const printNow = () => {
    const { connection, status } = view;
    if (connection.kind === 'live' && status !== null) {
      complaint = '';
      if (status !== printed) print(json ? JSON.stringify(status) : statusLine(status));
      printed = status;
      return;
    }
    const trouble = connection.kind === 'live' ? null : connection.trouble;
    if (trouble === null) return;
    const line = `no controller at ${controllerUrl}: ${printable(trouble)}`;
    if (!json) print(`${formatClock(Date.now())} ${line}`);
    else if (line !== complaint) complain(line);
    complaint = line;
  };
  const report = (event: StoreEvent) => {
    const first = view.status === null;
    view = reduce(view, event);
    // the first picture need not wait for the first interval
    if (first && view.status !== null) printNow();
  };

  const stream = watchStatus(controllerUrl, {
    snapshot: (status) => report({ kind: 'snapshot', status }),
    gone: (trouble) => report({ kind: 'gone', trouble, at: Date.now() }),
  });
  const timer = setInterval(printNow, intervalMs);
  try {
    await aborted(signal);
  } finally {
    clearInterval(timer);
    stream.stop();
  }
}

async function aborted(signal: AbortSignal | undefined): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  signal?.addEventListener('abort', () => resolve(), { once: true });
  if (signal?.aborted) resolve();
  await promise;
}
