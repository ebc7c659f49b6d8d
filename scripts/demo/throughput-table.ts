// The demo's table: what each node did while it answered. Pure: two pictures of the cluster in, text out.
import { formatBytes, formatNumber, printable, UNMEASURED } from '../../dashboard/format.ts';
import { formatRange } from '../../protocol/plan.ts';
import type { ClusterStatus, StageStatus } from '../../protocol/status.ts';
import { table } from '../cli/table.ts';

/**
 * One row per stage. tok/s counts every token that passed through the stage, prompt and answer, over the time that
 * the answer took: measured, and the same for a short answer as for a long one.
 * @param before the status before the question
 * @param after the status once the stages have reported the answer's last step
 * @param elapsedMs how long the answer took
 */
export function throughputTable(before: ClusterStatus, after: ClusterStatus, elapsedMs: number): string {
  const rows = after.stages.map((stage) => {
    const tokens = newTokens(before, after, stage);
    return [
      printable(stage.node),
      formatRange(stage.range),
      tokens > 0 && elapsedMs > 0 ? formatNumber((tokens / elapsedMs) * 1000) : UNMEASURED,
      formatNumber(stage.stepTimeMs),
      formatBytes(stage.residentBytes),
      formatBytes(stage.weightBytes),
    ];
  });
  return table([['node', 'layers', 'tok/s', 'step ms', 'memory', 'weights'], ...rows], {
    right: [2, 3, 4, 5],
  });
}

/** Whether every stage has reported the answer: all have counted the same number of new tokens. */
export function hasSettled(before: ClusterStatus, after: ClusterStatus): boolean {
  const counts = new Set(after.stages.map((stage) => newTokens(before, after, stage)));
  return counts.size === 1 && !counts.has(0);
}

/** A new epoch begins to count at zero. */
function newTokens(before: ClusterStatus, after: ClusterStatus, stage: StageStatus): number {
  const earlier = before.epoch === after.epoch ? before.stages[stage.index] : undefined;
  return stage.tokensTotal - (earlier?.tokensTotal ?? 0);
}
