// The words of a draft on a node of its own: what its agent and that of the first stage are told, what they tell, and how
// the status shows it. A draft has its own count of epochs: it comes and goes without the stages.
import { z } from 'zod';
import { Fingerprint } from './identity.ts';
import { MAX_REASON_CHARS } from './limits.ts';
import { HostPort } from './node.ts';
import { DraftPlace } from './plan.ts';
import { Shown } from './printable.ts';
import { ProbeAddress } from './probe.ts';
import { StageSpec } from './stage.ts';

/** How the first stage reaches a draft. */
export const DraftLink = z.object({
  /** of the draft: later ones have greater ones */
  draftEpoch: z.int().min(1),
  next: HostPort,
  /** the address of the first stage's node to dial from; by default the system chooses */
  from: ProbeAddress.optional(),
  /** the key of the draft's node */
  peer: Fingerprint,
  /** a secret of this draft: whoever lacks it is closed */
  token: z.string().min(16),
});
export type DraftLink = z.infer<typeof DraftLink>;

/** controller → agent */
export const DRAFT_COMMANDS = [
  /** runs a draft: a whole model as the only stage of a plan of its own; what is loaded of the same one is kept */
  z.object({ kind: z.literal('draft-deploy'), spec: StageSpec, hopHost: ProbeAddress.optional() }),
  /** ends whatever draft this node runs */
  z.object({ kind: z.literal('draft-end') }),
  /** to the first stage's node: from now on its stage is guessed for by this draft. `epoch`: of the stages */
  z.object({ kind: z.literal('draft-link'), epoch: z.int(), link: DraftLink }),
] as const;

const epoch = z.int().min(1);

/** What a draft measured of itself over the last interval. */
export const DraftStats = z.object({
  residentBytes: z.number(),
  weightBytes: z.number(),
  kvBytes: z.number(),
  guessesPerSecond: z.number().min(0),
  busyShare: z.number().min(0).max(1),
});
export type DraftStats = z.infer<typeof DraftStats>;

/** agent → controller; `epoch` is the draft's */
export const DRAFT_EVENTS = [
  z.object({
    kind: z.literal('draft-loaded'),
    epoch,
    hop: HostPort,
    pid: z.int(),
    weightBytes: z.number(),
  }),
  /** its process is gone, or could not be started */
  z.object({ kind: z.literal('draft-failed'), epoch, code: z.string(), message: Shown(MAX_REASON_CHARS) }),
  /** from the first stage's node: its stage is linked with the draft */
  z.object({ kind: z.literal('draft-linked'), epoch }),
  /** from either end: they do not reach each other any more */
  z.object({ kind: z.literal('draft-unlinked'), epoch, reason: Shown(MAX_REASON_CHARS) }),
  z.object({ kind: z.literal('draft-stats'), epoch, stats: DraftStats }),
] as const;

/** In the status: the draft of the model that is deployed. resting: it was lost, and is started again in a while */
export const DraftStatus = z.object({
  place: DraftPlace,
  nodeId: z.string(),
  /** the node's name */
  node: z.string(),
  state: z.enum(['loading', 'loaded', 'linked', 'resting']),
  /** of a process of its own, and what it measured; null beside the first stage, or before it told */
  pid: z.int().nullable(),
  stats: DraftStats.nullable(),
});
export type DraftStatus = z.infer<typeof DraftStatus>;
