// The words between the demo's launcher and the processes that it supervises (over Node's IPC channel).
import { z } from 'zod';

/**
 * Set to "1" by the launcher: the child reports what is below, leaves Ctrl-C to the launcher (a terminal sends it to
 * every process at once), and stops on SIGTERM and when the channel closes.
 */
export const SUPERVISED_VARIABLE = 'ESPALIER_SUPERVISED';

/** A child has this long to stop before it is cut short: Ctrl-C must end everything within two seconds. */
export const SUPERVISED_STOP_MS = 1_500;

/** supervised process → launcher */
export const SupervisedEvent = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('listening'), url: z.url().optional(), port: z.int().min(1).max(65535) }),
  /** the process ends with a non-zero code after this one */
  z.object({ kind: z.literal('failed'), code: z.string(), message: z.string() }),
]);
export type SupervisedEvent = z.infer<typeof SupervisedEvent>;
