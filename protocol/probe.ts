// The words of a link measurement between two agents, which the controller asks for over the control connections, and
// the frames on its sockets. It knows nothing of why a pair is measured.
import { isIPv4, isIPv6 } from 'node:net';
import { z } from 'zod';
import { InterfaceName } from './facts.ts';
import { Fingerprint } from './identity.ts';
import {
  MAX_PROBE_ADDRESSES,
  MAX_PROBE_BURST_BYTES,
  MAX_PROBE_TARGETS,
  MAX_PROBED_PATHS,
  PROBE_ROUND_TRIPS,
} from './limits.ts';

/** An IP address to listen on, dial or dial from; a link-local IPv6 one with the zone of the node that uses it. */
export const ProbeAddress = z
  .string()
  .max(80)
  .refine((text) => isIPv4(text) || isIPv6(text), 'no IP address');

const ProbeId = z.string().min(8).max(64);
/** What whoever connects must say: it is made for one measurement. */
const ProbeToken = z.string().regex(/^[\w-]{43}$/);

const ProbeTarget = z.object({
  /** this node's own address */
  from: ProbeAddress,
  to: ProbeAddress,
  port: z.int().min(1).max(65535),
});
export type ProbeTarget = z.infer<typeof ProbeTarget>;

/** controller → agent: open a listener on each of these addresses of yours, until `probe-stop` or PROBE_TIMEOUT_MS */
const ProbeListen = z.object({
  kind: z.literal('probe-listen'),
  probeId: ProbeId,
  token: ProbeToken,
  /** the key of the other node: nobody else is measured with */
  peer: Fingerprint,
  addresses: z.array(ProbeAddress).max(MAX_PROBE_ADDRESSES),
});
/** controller → agent: which of these can be reached? all at once */
const ProbeReach = z.object({
  kind: z.literal('probe-reach'),
  probeId: ProbeId,
  token: ProbeToken,
  /** the key of the other node: nobody else is measured with */
  peer: Fingerprint,
  targets: z.array(ProbeTarget).max(MAX_PROBE_TARGETS),
});
/** controller → agent: how fast are these? one after the other */
const ProbeMeasure = z.object({
  kind: z.literal('probe-measure'),
  probeId: ProbeId,
  token: ProbeToken,
  /** the key of the other node: nobody else is measured with */
  peer: Fingerprint,
  targets: z.array(ProbeTarget).max(MAX_PROBED_PATHS),
});
/** controller → agent: end all that this measurement opened */
const ProbeStop = z.object({ kind: z.literal('probe-stop'), probeId: ProbeId });

export const PROBE_COMMANDS = [ProbeListen, ProbeReach, ProbeMeasure, ProbeStop] as const;
export type ProbeCommand =
  | z.infer<typeof ProbeListen>
  | z.infer<typeof ProbeReach>
  | z.infer<typeof ProbeMeasure>
  | z.infer<typeof ProbeStop>;

/**
 * How a try to connect ended. `refused`: nobody listens · `timed-out`: no answer at all · `no-route`: EHOSTUNREACH or
 * ENETUNREACH · `address-gone`: this node does not have the address that it should dial from · `stranger`: somebody
 * else listens there · `failed`: all else
 */
export const ProbeOutcome = z.enum([
  'reached',
  'refused',
  'timed-out',
  'no-route',
  'address-gone',
  'stranger',
  'failed',
]);
export type ProbeOutcome = z.infer<typeof ProbeOutcome>;

/** `not-offered`: the agent was started to listen elsewhere (--host) · `failed`: the system would not have it */
const ProbePort = z.object({
  address: ProbeAddress,
  port: z.int().min(1).max(65535).nullable(),
  why: z.enum(['not-offered', 'failed']).nullable(),
});
export type ProbePort = z.infer<typeof ProbePort>;

const ProbeTry = z.object({
  from: ProbeAddress,
  to: ProbeAddress,
  outcome: ProbeOutcome,
  /** the system's own word: `EHOSTUNREACH` */
  code: z
    .string()
    .regex(/^[A-Z0-9_]{1,40}$/)
    .nullable(),
});
export type ProbeTry = z.infer<typeof ProbeTry>;

const Microseconds = z.number().min(0).max(60_000_000);
const RoundTrips = z.object({
  count: z.int().min(1).max(PROBE_ROUND_TRIPS),
  p50Us: Microseconds,
  p99Us: Microseconds,
});
export type RoundTrips = z.infer<typeof RoundTrips>;

/** What one direction of a path was measured to be, by the node that dials. */
export const ProbeFigures = z.object({
  /** of 4 bytes, and of 14 KiB both ways: R1's hidden state of one token */
  small: RoundTrips,
  hidden: RoundTrips,
  burst: z.object({
    bytes: z.int().min(0).max(MAX_PROBE_BURST_BYTES),
    /** by the sender's clock, from the first byte to the word that all have arrived, less a round trip */
    elapsedUs: Microseconds,
    /** at most 10,000 Gb/s is believed */
    gbps: z.number().min(0).max(10_000),
  }),
  /** the interface whose count of sent bytes grew with the burst; null where none told */
  carriedBy: InterfaceName.nullable(),
});
export type ProbeFigures = z.infer<typeof ProbeFigures>;

const ProbeMeasured = z.object({
  from: ProbeAddress,
  to: ProbeAddress,
  outcome: ProbeOutcome,
  figures: ProbeFigures.nullable(),
});
export type ProbeMeasured = z.infer<typeof ProbeMeasured>;

/** agent → controller, each the answer to one command */
export const PROBE_EVENTS = [
  z.object({
    kind: z.literal('probe-listening'),
    probeId: ProbeId,
    ports: z.array(ProbePort).max(MAX_PROBE_ADDRESSES),
  }),
  z.object({
    kind: z.literal('probe-reached'),
    probeId: ProbeId,
    tries: z.array(ProbeTry).max(MAX_PROBE_TARGETS),
  }),
  z.object({
    kind: z.literal('probe-measured'),
    probeId: ProbeId,
    paths: z.array(ProbeMeasured).max(MAX_PROBED_PATHS),
  }),
] as const;
export type ProbeEvent = z.infer<(typeof PROBE_EVENTS)[number]>;
