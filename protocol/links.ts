// The public picture of the links between the nodes: what GET /cluster/v1/links answers. Every figure in it was
// measured; what was not is null.
import { z } from 'zod';
import { InterfaceKind } from './facts.ts';
import { ProbeOutcome } from './probe.ts';

export const LINKS_PATH = '/cluster/v1/links';
/** POST with `{}` as JSON: measure all pairs again, as soon as no request runs. Answers like LINKS_PATH, at once. */
export const MEASURE_LINKS_PATH = '/cluster/v1/links/measure';

export const LinkEnd = z.object({
  /** a link-local IPv6 one with this node's zone: `fe80::1%en5` */
  address: z.string(),
  interface: z.string(),
  kind: InterfaceKind,
});
export type LinkEnd = z.infer<typeof LinkEnd>;

/** One direction of a path, measured by the node that dials. */
export const LinkFigures = z.object({
  /** of 14 KiB there and back: R1's hidden state of one token */
  rttP50Us: z.number(),
  rttP99Us: z.number(),
  /** of 4 bytes there and back */
  smallRttP50Us: z.number(),
  smallRttP99Us: z.number(),
  /** of the best burst, by the sender's clock */
  gbps: z.number(),
  /** the interface of the sender whose count of sent bytes grew with the burst; null where none told */
  carriedBy: z.string().nullable(),
  /** its kind, or that of the dialled address' interface where none told */
  kind: InterfaceKind,
});
export type LinkFigures = z.infer<typeof LinkFigures>;

/** Two addresses that reach one another: from node a's to node b's. */
export const LinkPath = z.object({
  from: LinkEnd,
  to: LinkEnd,
  /** a dials b; null when that does not work */
  there: LinkFigures.nullable(),
  /** b dials a */
  back: LinkFigures.nullable(),
  /** milliseconds since 1970 */
  measuredAt: z.number(),
});
export type LinkPath = z.infer<typeof LinkPath>;

/** A try that did not succeed. */
export const LinkMiss = z.object({
  /** the id of the node that dialled */
  by: z.string(),
  fromAddress: z.string(),
  toAddress: z.string(),
  outcome: ProbeOutcome,
  code: z.string().nullable(),
});
export type LinkMiss = z.infer<typeof LinkMiss>;

const LinkNodeName = z.object({ id: z.string(), name: z.string() });

export const LinkPair = z.object({
  a: LinkNodeName,
  b: LinkNodeName,
  isSameMachine: z.boolean(),
  /** milliseconds since 1970; null before the first measurement */
  measuredAt: z.number().nullable(),
  /** why the last measurement did not come to an end; null when it did */
  failure: z.string().nullable(),
  /** fastest first */
  paths: z.array(LinkPath),
  /** the first of them */
  misses: z.array(LinkMiss),
});
export type LinkPair = z.infer<typeof LinkPair>;

/** Something about the links that a person can mend, or should know. */
export const LinkFinding = z.object({
  /** the same as long as it is the same thing, whatever the figures */
  id: z.string(),
  severity: z.enum(['info', 'warn', 'error']),
  text: z.string(),
  fix: z.string(),
});
export type LinkFinding = z.infer<typeof LinkFinding>;

export const LinksReport = z.object({
  /** milliseconds since 1970 */
  at: z.number(),
  /** the names of the pair that is being measured */
  measuring: z.tuple([z.string(), z.string()]).nullable(),
  /** pairs that are still to be measured */
  waiting: z.int(),
  /** why none is measured now, in a sentence; null when nothing is in the way */
  blocked: z.string().nullable(),
  pairs: z.array(LinkPair),
  findings: z.array(LinkFinding),
});
export type LinksReport = z.infer<typeof LinksReport>;
