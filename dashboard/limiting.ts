// Which stage keeps the pipeline from being faster, from what was measured, and how that can be told. Pure.
import type { ClusterStatus, StageStatus } from '../protocol/status.ts';
import { formatDuration, formatShare, printable } from './format.ts';

export interface Limiting {
  /** index of the stage */
  stage: number;
  /** a sentence with the figures */
  reason: string;
}

/** From here on a stage has no time to spare: the rest is waiting for frames and writing them. */
const FULL_SHARE = 0.8;
/** Below this share of their time nobody works, and only steps can be compared. */
const WORKING_SHARE = 0.05;

/** The busiest stage while the pipeline works, otherwise the one with the longest step; null where none stands out. */
export function limitingStage(status: ClusterStatus): Limiting | null {
  const linked = status.stages.filter(({ state }) => state === 'linked');
  if (status.state !== 'serving' || linked.length < 2) return null;
  const byShare = [...linked].sort((a, b) => (b.busyShare ?? 0) - (a.busyShare ?? 0));
  const [busiest, next] = byShare as [StageStatus, StageStatus];
  const share = busiest.busyShare ?? 0;
  if (share < WORKING_SHARE || status.requestsRunning === 0) return slowest(linked);
  const step = busiest.stepTimeMs === null ? '' : `, ${formatDuration(busiest.stepTimeMs)} a step`;
  const figures = `busy ${formatShare(share)}${step}; the next ${formatShare(next.busyShare)}`;
  const who = printable(busiest.node);
  if (share >= FULL_SHARE) return { stage: busiest.index, reason: `${who} limits: ${figures}` };
  const streams = status.requestsRunning;
  const why =
    streams < linked.length
      ? `${streams} of ${linked.length} stages can be busy with ${streams === 1 ? 'one request' : `${streams} requests`}`
      : 'the rest goes to hops and waiting';
  return { stage: busiest.index, reason: `${who} is the busiest: ${figures}. No stage is full: ${why}` };
}

function slowest(stages: readonly StageStatus[]): Limiting | null {
  const measured = stages.filter(({ stepTimeMs }) => stepTimeMs !== null);
  if (measured.length < 2) return null;
  const [first, second] = measured.sort((a, b) => (b.stepTimeMs ?? 0) - (a.stepTimeMs ?? 0));
  if (!first || !second) return null;
  const figures = `${formatDuration(first.stepTimeMs)}; the next ${formatDuration(second.stepTimeMs)}`;
  return { stage: first.index, reason: `${printable(first.node)} has the longest step: ${figures}` };
}
