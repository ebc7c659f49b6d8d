// The words between an agent and the stage worker that it supervises (over Node's IPC channel).
import { z } from 'zod';
import { DraftLink, DraftStats } from './draft.ts';
import { GenerateRequest, RequestFailure, RequestIds, TokenEvent } from './generate.ts';
import { Credentials } from './identity.ts';
import { HostPort } from './node.ts';
import { ProbeAddress } from './probe.ts';
import { RankLaunch } from './ranks.ts';
import { HopSide, KvEpoch, StageSpec, StageStats } from './stage.ts';
import { TracedSteps } from './trace.ts';

/** agent → worker */
export const WorkerCommand = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('load'),
    spec: StageSpec,
    /** of the node: its hops speak in its name */
    credentials: Credentials,
    /** where the worker listens for the hop from the stage before it */
    hopHost: z.string(),
    /** a folder for tensor bytes on their way to and from a socket, made and removed by the agent */
    scratchDir: z.string(),
  }),
  /** takes another place: closes the hops, ends all requests, and loads what it has not; answered with `loaded` */
  z.object({ kind: z.literal('move'), spec: StageSpec, hopHost: z.string() }),
  /** `from`: the address of this node to dial from. `keepsKv`: see KvEpoch. `ranks`: how those of MLX Distributed meet */
  z.object({
    kind: z.literal('link'),
    epoch: z.int(),
    next: HostPort,
    from: ProbeAddress.optional(),
    keepsKv: z.boolean(),
    ranks: RankLaunch.optional(),
  }),
  /** to the first stage: it is guessed for by this draft from now on */
  z.object({ kind: z.literal('link-draft'), link: DraftLink }),
  /** closes its hops and steps no more; what it holds is kept for its next place */
  z.object({ kind: z.literal('leave') }),
  z.object({ kind: z.literal('generate'), request: GenerateRequest, serial: z.int().min(1) }),
  /** to a rank of MLX Distributed alone */
  z.object({ kind: z.literal('wake'), serial: z.int().min(1) }),
  z.object({ kind: z.literal('cancel'), requestId: z.string() }),
  /** the controller is gone: what runs ends, and its KV is kept */
  z.object({ kind: z.literal('end-requests') }),
  /** asks for the last steps */
  z.object({ kind: z.literal('trace') }),
  z.object({ kind: z.literal('stop') }),
]);
export type WorkerCommand = z.infer<typeof WorkerCommand>;

/** worker → agent */
export const WorkerEvent = z.discriminatedUnion('kind', [
  /** it lives, and may be silent for so long from now on, because a step or a load keeps it from speaking */
  z.object({ kind: z.literal('beat'), busyMs: z.number().min(0) }),
  /** while it loads: of the layers that it has to read */
  z.object({ kind: z.literal('progress'), epoch: z.int(), layers: z.int().min(0), ofLayers: z.int().min(0) }),
  z.object({
    kind: z.literal('loaded'),
    epoch: z.int(),
    hopPort: z.int(),
    weightBytes: z.number(),
    readLayers: z.int().min(0),
    kvEpoch: KvEpoch,
    /** what Metal recommends to keep resident at most; null where there is no Metal */
    gpuLimitBytes: z.int().positive().nullable(),
  }),
  /** both hops of this stage are open */
  z.object({ kind: z.literal('linked'), epoch: z.int() }),
  /** a hop is gone or cannot be opened; the worker waits for its next place */
  z.object({ kind: z.literal('unlinked'), epoch: z.int(), hop: HopSide, reason: z.string() }),
  /** from the first stage: the draft on another node is there, or is not any more; `draftEpoch` as it was told */
  z.object({ kind: z.literal('draft-linked'), draftEpoch: z.int() }),
  z.object({ kind: z.literal('draft-unlinked'), draftEpoch: z.int(), reason: z.string() }),
  z.object({ kind: z.literal('tokens'), tokens: z.array(TokenEvent) }),
  /** from the first stage: these requests have a session now, so that the next steps compute them */
  z.object({ kind: z.literal('admitted'), requestIds: RequestIds }),
  z.object({ kind: z.literal('request-failed'), failure: RequestFailure }),
  z.object({ kind: z.literal('stats'), stats: StageStats }),
  z.object({ kind: z.literal('draft-stats'), stats: DraftStats }),
  z.object({ kind: z.literal('trace'), steps: TracedSteps }),
  /** a stranger was refused at its hop: a line for the agent's log */
  z.object({ kind: z.literal('refusal'), text: z.string() }),
  /** the worker ends itself after this one */
  z.object({ kind: z.literal('fatal'), code: z.string(), message: z.string() }),
]);
export type WorkerEvent = z.infer<typeof WorkerEvent>;
