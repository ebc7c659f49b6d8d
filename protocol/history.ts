// The last ten minutes of a cluster: what GET /cluster/v1/history answers, so that whoever looks late has graphs. The
// snapshots of the status stream continue it.
import { z } from 'zod';
import { HISTORY_SAMPLES, HISTORY_STEP_MS, MAX_HISTORY_NODES } from './limits.ts';

export const HISTORY_PATH = '/cluster/v1/history';

/** One a second, oldest first; null where nothing was reported. All series of one history end at the same second. */
const Series = z.array(z.number().nullable()).max(HISTORY_SAMPLES);

export const NodeHistory = z.object({
  id: z.string(),
  /** tokens through the node's stage per second, prompt and answer */
  tokensPerSecond: Series,
  /** share of the second that the stage computed */
  busyShare: Series,
});
export type NodeHistory = z.infer<typeof NodeHistory>;

export const ClusterHistory = z.object({
  /** when the last sample ended, in milliseconds since 1970 */
  at: z.number(),
  stepMs: z.literal(HISTORY_STEP_MS),
  /** generated tokens per second, all requests together */
  tokensPerSecond: Series,
  nodes: z.array(NodeHistory).max(MAX_HISTORY_NODES),
});
export type ClusterHistory = z.infer<typeof ClusterHistory>;
