// What went wrong in a cluster: what was seen, what was done about it, and how long the streams paused.
import { z } from 'zod';
import { MAX_INCIDENTS } from './limits.ts';

export const INCIDENTS_PATH = '/cluster/v1/incidents';

const Text = z.string().max(1_000);
const Milliseconds = z.number().min(0).nullable();

export const Incident = z.object({
  /** counts from 1, over restarts of the controller */
  number: z.int().min(1),
  /** milliseconds since 1970 */
  at: z.number(),
  /** the name of the node that it was seen on or that it is about; null where it is about none */
  node: Text.nullable(),
  /** the registered code of the error */
  code: z.string().max(100),
  seen: Text,
  /** how to fix it, where people can do something */
  fix: Text.nullable(),
  /** requests that were running or waiting */
  requests: z.int().min(0),
  /** open: not over yet · serving: the cluster went on · impossible: what was left could not hold the model */
  outcome: z.enum(['open', 'serving', 'impossible']),
  /** what was done, or why nothing could be; null while it is open */
  done: Text.nullable(),
  /** measured parts of the pause, in turn; null where there was no such part */
  pause: z.object({
    /** from when it was seen until there was a plan */
    planMs: Milliseconds,
    /** until all stages had loaded */
    loadMs: Milliseconds,
    /** until their hops were open */
    linkMs: Milliseconds,
    /** until each interrupted request had its next token */
    replayMs: Milliseconds,
  }),
});
export type Incident = z.infer<typeof Incident>;

export const IncidentsReport = z.object({
  /** newest last */
  incidents: z.array(Incident).max(MAX_INCIDENTS),
});
export type IncidentsReport = z.infer<typeof IncidentsReport>;
