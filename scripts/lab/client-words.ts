// What is said between the load of a lab and the process that is its clients. It must not run anything.
import { z } from 'zod';

/** What it is told, as its only argument. */
export const ClientTask = z.object({
  url: z.string(),
  streams: z.int().min(1),
  questions: z.array(z.array(z.object({ role: z.string(), content: z.string() }))).min(1),
});
export type ClientTask = z.infer<typeof ClientTask>;

/** What it tells of each answer that has ended. */
export const ClientAnswer = z.object({
  stream: z.int(),
  question: z.int(),
  text: z.string(),
  reasoning: z.string(),
  /** why it ended; null where the stream broke off */
  finish: z.string().nullable(),
  error: z.string().nullable(),
  /** milliseconds since 1970 */
  from: z.number(),
  to: z.number(),
  /** between two pieces of the answer, or before the first */
  longestPauseMs: z.number(),
  /** comments of the stream: beats, and what the cluster recovers from */
  comments: z.array(z.string()),
});
export type ClientAnswer = z.infer<typeof ClientAnswer>;
