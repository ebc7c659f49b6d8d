// What an operator may do to a running cluster by its API, beside what pairing has: end a request, drain a node.
// All of it takes POST with a JSON body and the authority of an admin.
import { z } from 'zod';

/** Of a node that is to be drained, by its id. */
export const drainPath = (nodeId: string): string => `/cluster/v1/nodes/${encodeURIComponent(nodeId)}/drain`;
export const undrainPath = (nodeId: string): string =>
  `/cluster/v1/nodes/${encodeURIComponent(nodeId)}/undrain`;
/** Of a request, by the id that the status shows. */
export const cancelPath = (requestId: string): string =>
  `/cluster/v1/requests/${encodeURIComponent(requestId)}/cancel`;

export const DrainRequest = z.strictObject({
  /** true: at once, while requests run; they pause and go on elsewhere. Otherwise when no request has run for a while. */
  now: z.boolean().default(false),
});
export type DrainRequest = z.infer<typeof DrainRequest>;

/** `text`: what will happen, for people. */
export const OperationAnswer = z.object({ text: z.string() });
export type OperationAnswer = z.infer<typeof OperationAnswer>;
